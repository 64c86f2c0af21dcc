"""Exercises of the lesson on LeNet, AlexNet and Network in Network."""

import numpy as np

from exercises.kinds import function, number


def _top_k(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    likely = np.argsort(-logits, axis=1)[:, :k]
    return float((likely == labels[:, None]).any(axis=1).mean())


_LOGITS = np.array([[3.0, 2.0, 1.0], [0.0, 1.0, 2.0], [5.0, 4.0, 6.0], [1.0, 0.0, -1.0]])
_LABELS = np.array([0, 1, 1, 2])

EXERCISES = {
    "c3": number(
        2_416,
        (
            "A map has 25 weights for each map it sees, and one bias.",
            "특성 맵 하나는 보는 맵마다 가중치 25개를, 그리고 편향 하나를 가집니다.",
        ),
        {
            2_400: ("You forgot the biases.", "편향을 빠뜨렸습니다."),
            1_516: ("That is the paper's table.", "논문의 연결표에 따른 수입니다."),
            2_496: (
                "There is one bias for each map of C3, not for each connection.",
                "편향은 연결마다가 아니라 C3의 특성 맵마다 하나입니다.",
            ),
        },
    ),
    "top k": function(
        _top_k,
        [(_LOGITS, _LABELS, 1), (_LOGITS, _LABELS, 2), (_LOGITS, _LABELS, 3)],
        (
            "np.argsort(-logits, axis=1)[:, :k] has the k most likely classes.",
            "np.argsort(-logits, axis=1)[:, :k]는 가장 그럴듯한 클래스 k개입니다.",
        ),
    ),
    "one by one": number(
        3_211_264,
        (
            "Each weight is used once at each of the 14x14 places.",
            "가중치 하나는 14x14개의 위치마다 한 번씩 쓰입니다.",
        ),
        {16_384: ("Those are the weights.", "가중치의 수입니다.")},
    ),
}
