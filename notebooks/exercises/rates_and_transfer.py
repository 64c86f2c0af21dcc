"""Exercises of the lesson on rates, optimizers, augmentation and transfer."""

import numpy as np

from exercises.kinds import choice, function, number


def _cosine(t: float, total: float, highest: float) -> float:
    return float(highest * (1 + np.cos(np.pi * t / total)) / 2)


EXERCISES = {
    "step": number(
        0.001,
        ("How many times has it fallen by then?", "그때까지 몇 번 내려갔나요?"),
        {
            0.01: (
                "It falls after 30 and after 60 epochs.",
                "30에포크와 60에포크 뒤에 내려갑니다.",
            ),
            0.0001: (
                "The third fall is after 90 epochs.",
                "세 번째로 내려가는 것은 90에포크 뒤입니다.",
            ),
        },
        tolerance=1e-9,
    ),
    "cosine": function(
        _cosine,
        [(0, 10, 0.5), (5, 10, 0.5), (10, 10, 0.5), (3, 90, 0.1)],
        (
            "cos goes from 1 to -1 between 0 and pi; add 1 and halve it.",
            "cos은 0과 pi 사이에서 1에서 -1로 갑니다. 1을 더하고 2로 나누세요.",
        ),
    ),
    "signs": choice(
        "mirror",
        {
            "shift": (
                "A shifted sign means the same.",
                "조금 옮긴 표지판은 뜻이 같습니다.",
            ),
            "cutout": (
                "A sign with a hole means the same, as long as you can read it.",
                "일부가 가려져도 읽을 수 있으면 뜻이 같습니다.",
            ),
        },
        (
            "Which change turns one class into the other?",
            "어떤 변화가 한 클래스를 다른 클래스로 바꾸나요?",
        ),
    ),
}
