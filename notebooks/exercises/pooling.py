"""Exercises of the lesson on pooling."""

import numpy as np

from exercises.kinds import array, function, number


def _min_pool(values: np.ndarray) -> np.ndarray:
    rows, columns = values.shape
    return values.reshape(rows // 2, 2, columns // 2, 2).min(axis=(1, 3))


EXERCISES = {
    "max pooling": array(
        [[9, 8], [9, 8]],
        (
            "With stride 1 there are 2x2 windows of 3x3, which overlap.",
            "스트라이드가 1이면 3x3 창이 2x2개 있고 서로 겹칩니다.",
        ),
        [
            (
                [[4, 1], [9, 8]],
                ("That is a pooling of 2x2 with stride 2.", "2x2 창, 스트라이드 2의 결과입니다."),
            )
        ],
    ),
    "global pooling": number(
        24_576_000,
        (
            "Count both dense layers: inputs times outputs, and the biases.",
            "완전 연결층의 파라미터는 입력 수 x 출력 수에 편향을 더한 것입니다.",
        ),
        {
            25_089_000: (
                "That is what the layer has with Flatten; subtract what is left.",
                "Flatten을 쓸 때의 파라미터 수입니다. 남는 수를 빼세요.",
            ),
            513_000: ("That is what is left.", "전역 평균 풀링을 쓴 뒤에 남는 수입니다."),
        },
    ),
    "min pooling": function(
        _min_pool,
        [
            (np.array([[1.0, 2.0], [3.0, 4.0]]),),
            (np.array([[5.0, -1.0, 0.0, 2.0], [3.0, 3.0, 8.0, 1.0]]),),
        ],
        ("min(x) = -max(-x)", "min(x) = -max(-x)"),
    ),
}
