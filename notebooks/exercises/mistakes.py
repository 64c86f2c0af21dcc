"""Exercises of the lesson on common mistakes."""

import numpy as np

from exercises.kinds import choice, function, number


def _undo(normalized: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.clip(normalized * std + mean, 0, 1)


EXERCISES = {
    "undo": function(
        _undo,
        [
            (np.array([0.0, 1.0, -1.0]), np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.2, 0.3])),
            (np.array([9.0, -9.0, 0.0]), np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.2, 0.3])),
        ],
        (
            "Multiply by std, add mean, and cut off what lies outside: np.clip.",
            "std를 곱하고 mean을 더한 뒤, 벗어난 값은 np.clip으로 자릅니다.",
        ),
    ),
    "momentum": number(
        0.99,
        (
            "PyTorch gives the share of the new value, Keras that of the old one.",
            "PyTorch는 새 값의 비율, Keras는 옛 값의 비율입니다.",
        ),
        {0.01: ("That would forget nearly everything.", "그러면 거의 모든 것을 잊어버립니다.")},
        tolerance=1e-9,
    ),
    "phone": choice(
        "input range",
        {
            "learning rate": (
                "The network is trained already, and good in Keras.",
                "신경망은 이미 학습되었고 Keras에서는 잘 맞힙니다.",
            ),
            "padding": (
                "Padding is part of the file, and the file is correct.",
                "패딩은 파일에 들어 있고, 파일은 올바릅니다.",
            ),
        },
        ("What does the app do before the network?", "앱은 신경망 앞에서 무엇을 하나요?"),
    ),
}
