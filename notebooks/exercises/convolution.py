"""Exercises of the lesson on convolution."""

from typing import Any

import numpy as np

from exercises.kinds import Exercise, Text, array, number


def _dark_to_bright(answer: Any) -> Text | None:
    kernel = np.asarray(answer, float)
    if kernel.shape != (3, 3):
        return (
            f"Your kernel has the shape {kernel.shape}; expected (3, 3).",
            f"커널의 모양이 {kernel.shape}입니다. (3, 3)이어야 합니다.",
        )
    flat, left, right = kernel.sum(), 10 * kernel[:, 2].sum(), 10 * kernel[:, 1:].sum()
    if not np.isclose(flat, 0):
        return (
            f"Where all pixels are 1 it answers {flat:g}, not 0.",
            f"모든 픽셀이 1인 곳에서 응답이 0이 아니라 {flat:g}입니다.",
        )
    for response in (left, right):
        if not np.isclose(response, 30):
            return (
                f"It answers {response:g} to the step, not 30.",
                f"계단에 대한 응답이 30이 아니라 {response:g}입니다.",
            )
    return None


EXERCISES = {
    "blur": array(
        np.ones((3, 3)) / 9,
        (
            "np.ones((3, 3)) has nine equal weights. In a mean they add up to 1.",
            "np.ones((3, 3))은 같은 가중치 아홉 개입니다. 평균이 되려면 합이 1이어야 합니다.",
        ),
        [
            (
                np.ones((3, 3)),
                (
                    "This kernel adds the nine pixels: the image becomes nine times as bright.",
                    "이 커널은 아홉 픽셀을 더하기만 해서 이미지가 아홉 배 밝아집니다.",
                ),
            )
        ],
    ),
    "conv parameters": number(
        51_264,
        (
            "A filter has a kernel for each input channel, and one bias.",
            "필터 하나에는 입력 채널마다 커널이 하나씩 있고 편향이 하나 있습니다.",
        ),
        {
            51_200: ("You forgot the biases.", "편향을 빠뜨렸습니다."),
            1_664: ("A filter sees all 32 channels.", "필터는 32개 채널을 모두 봅니다."),
            51_232: (
                "There is one bias for each filter, not for each input channel.",
                "편향은 입력 채널마다가 아니라 필터마다 하나입니다.",
            ),
        },
    ),
    "dark to bright": Exercise(
        _dark_to_bright,
        (
            "Now the right must count positive and the left negative.",
            "이번에는 오른쪽이 양수, 왼쪽이 음수여야 합니다.",
        ),
    ),
}
