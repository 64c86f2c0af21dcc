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
    "wrong and unsure": number(
        0.5033,
        (
            "The softmax of the logits; the largest of each row; only rows that are wrong.",
            "로짓의 소프트맥스에서 행마다 최댓값을 구하고, 틀린 행만 봅니다.",
        ),
        {
            0.6385: ("Those predictions are right.", "맞힌 예측 가운데 가장 작은 값입니다."),
            0.9998: ("That is the largest.", "가장 큰 값입니다."),
            0.0: (
                "Take the probability of the predicted class, not of the true one.",
                "정답 클래스가 아니라 예측한 클래스의 확률을 구하세요.",
            ),
        },
        tolerance=0.0005,
    ),
}
