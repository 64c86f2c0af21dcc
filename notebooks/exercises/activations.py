"""Exercises of the lesson on activations, normalization and dropout."""

from typing import Any

import numpy as np

from exercises.kinds import Exercise, Text, function, number


def _leaky_relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.1 * x)


def _order(answer: Any) -> Text | None:
    given = [answer] if isinstance(answer, str) else [str(each).lower() for each in answer]
    if sorted(given) != ["batch norm", "conv", "relu"]:
        return (
            f"Expected the three words, each once; received {given}.",
            f"세 낱말이 한 번씩 있어야 합니다. 받은 값: {given}",
        )
    if given[0] != "conv":
        return ("The convolution comes first.", "합성곱이 맨 앞에 와야 합니다.")
    if given[1] != "batch norm":
        return (
            "After a ReLU no value is negative, and a batch norm there would shift its zeros.",
            "ReLU 뒤에는 음수가 없습니다. 배치 정규화를 그 뒤에 두면 0이 된 값이 다시 움직입니다.",
        )
    return None


EXERCISES = {
    "leaky relu": function(
        _leaky_relu,
        [(np.array([1.0, 2.0]),), (np.array([-1.0, 0.0, 3.0, -20.0]),)],
        (
            "np.where(condition, a, b) takes a where the condition holds, else b.",
            "np.where(조건, a, b)는 조건이 참인 곳에서 a를, 아닌 곳에서 b를 고릅니다.",
        ),
    ),
    "he": number(
        float(np.sqrt(2 / 576)),
        (
            "The variance is 2 / n, and one unit has 3 * 3 * 64 inputs.",
            "분산은 2 / n이고, 유닛 하나의 입력은 3 * 3 * 64개입니다.",
        ),
        {
            2 / 576: (
                "That is the variance, not the deviation.",
                "표준편차가 아니라 분산입니다.",
            ),
            float(np.sqrt(2 / 64)): (
                "A unit sees 3x3 places of each channel.",
                "유닛은 채널마다 3x3개의 위치를 봅니다.",
            ),
            float(np.sqrt(1 / 576)): ("That is LeCun's.", "LeCun의 초기화입니다."),
        },
        tolerance=1e-4,
    ),
    "order": Exercise(
        _order,
        (
            "The section on batch norm says between which two layers it stands.",
            "배치 정규화가 어느 두 층 사이에 놓이는지는 배치 정규화 절에 있습니다.",
        ),
    ),
}
