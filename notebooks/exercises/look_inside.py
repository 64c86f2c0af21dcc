"""Exercises of the lesson on looking inside."""

import numpy as np

from exercises.kinds import choice, function, number


def _cam(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return features @ weights / (features.shape[0] * features.shape[1])


_FEATURES = np.arange(24.0).reshape(2, 3, 4)

EXERCISES = {
    "cam": function(
        _cam,
        [(_FEATURES, np.array([1.0, 0.0, 0.0, 0.0])), (_FEATURES, np.array([1.0, -2.0, 0.5, 0.1]))],
        (
            "The weighted sum of the channels, divided by the number of places.",
            "채널의 가중합을 위치의 수로 나눕니다.",
        ),
    ),
    "randomized": choice(
        "the image",
        {
            "the network": (
                "The network is a different one now, and the maps did not notice.",
                "신경망은 다른 것이 되었는데 히트맵은 그대로입니다.",
            )
        },
        ("What stayed the same?", "무엇이 그대로 남아 있나요?"),
    ),
    "probability of the truth": number(
        0.2901,
        (
            "The softmax of the logits; only the row that is wrong; the column of its label.",
            "로짓의 소프트맥스에서 틀린 행만 보고, 그 레이블의 열을 고릅니다.",
        ),
        {0.6356: ("That is the class that it predicts.", "예측한 클래스의 확률입니다.")},
        tolerance=0.0005,
    ),
}
