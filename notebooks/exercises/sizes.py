"""Exercises of the lesson on sizes and shifts."""

from exercises.kinds import choice, function, number


def _output_size(n: int, k: int, p: int, s: int, d: int) -> int:
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


EXERCISES = {
    "output size": function(
        _output_size,
        [
            *[(32, 3, 0, 1, 1), (32, 3, 1, 1, 1), (32, 3, 1, 2, 1), (32, 3, 0, 1, 2)],
            *[(224, 7, 3, 2, 1), (227, 11, 0, 4, 1)],
        ],
        (
            "The floor of a division of integers is written // in Python.",
            "파이썬에서 정수 나눗셈의 몫은 //로 구합니다.",
        ),
    ),
    "same padding": number(
        6,
        ("2p = d(k - 1), and p is on one side.", "2p = d(k - 1)이고, p는 한쪽의 패딩입니다."),
        {
            12: (
                "That is the padding of both sides together.",
                "양쪽 패딩을 합한 값입니다.",
            ),
            3: ("That is without the dilation.", "팽창을 고려하지 않은 값입니다."),
        },
    ),
    "mirrored": choice(
        "invariant",
        {
            "equivariant": (
                "Equivariant would mean that the output is mirrored, too.",
                "등변이라면 출력도 좌우가 바뀌어야 합니다.",
            )
        },
        (
            "What happens to the output: nothing, or the same as to the image?",
            "출력은 그대로인가요, 아니면 이미지와 똑같이 바뀌나요?",
        ),
    ),
}
