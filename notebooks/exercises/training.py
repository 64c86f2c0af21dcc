"""Exercises of the lesson on training."""

import numpy as np

from exercises.kinds import choice, function, number


def _standard_error(p: float, n: int) -> float:
    return float(np.sqrt(p * (1 - p) / n))


EXERCISES = {
    "early stopping": number(
        6,
        (
            "The best epoch is the last one that improved; count two more.",
            "마지막으로 나아진 에포크를 찾고 거기에 두 에포크를 더하세요.",
        ),
        {
            4: ("That is the best epoch.", "가장 좋은 에포크입니다."),
            7: ("That is with patience=3.", "patience=3일 때의 답입니다."),
            5: (
                "Epochs are counted from 1, and two of them must bring no improvement.",
                "에포크는 1부터 세고, 두 에포크가 나아지지 않아야 합니다.",
            ),
        },
    ),
    "overfitting": choice(
        "overfitting",
        {
            "underfitting": (
                "An underfitted network is bad on its training images, too.",
                "과소적합한 신경망은 학습 이미지에서도 성적이 나쁩니다.",
            )
        },
        ("Compare the two accuracies.", "두 정확도를 비교해 보세요."),
    ),
    "standard error": function(
        _standard_error,
        [(0.5, 100), (0.9, 10_000), (1.0, 50)],
        ("np.sqrt is the square root.", "np.sqrt는 제곱근입니다."),
    ),
}
