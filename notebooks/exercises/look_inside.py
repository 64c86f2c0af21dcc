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
    "right and unsure": number(
        0.4352,
        (
            "The softmax of the logits; the largest of each row; only rows that are right.",
            "로짓의 소프트맥스에서 행마다 최댓값을 구하고, 맞힌 행만 봅니다.",
        ),
        {
            0.6356: ("That prediction is wrong.", "틀린 예측의 확률입니다."),
            0.9562: ("That is the largest.", "가장 큰 값입니다."),
            0.0: (
                "Take the largest probability of each row, not the smallest.",
                "행마다 가장 작은 확률이 아니라 가장 큰 확률을 구하세요.",
            ),
        },
        tolerance=0.0005,
    ),
}
