"""Exercises of the lesson on compression."""

import numpy as np

from exercises.kinds import choice, function, number


def _filter_mask(kernel: np.ndarray, count: int) -> np.ndarray:
    sums = np.abs(kernel).sum(axis=(0, 1, 2))
    mask = np.ones(len(sums))
    mask[np.argsort(sums)[:count]] = 0
    return mask


# Sums of magnitudes 8, 5 and 7.2; sums, squares and largest magnitudes are in another order.
_KERNEL = np.zeros((2, 2, 2, 3))
_KERNEL[..., 0], _KERNEL[1, 0, 1, 1], _KERNEL[..., 2] = -1, 5, [-0.9, 0.9]

EXERCISES = {
    "zero point": number(
        -64,
        (
            "s = 4 / 255, and z = round(-128 - min / s).",
            "s = 4 / 255이고 z = round(-128 - min / s)입니다.",
        ),
        {
            0: (
                "Byte 0 lies in the middle of the bytes, but 0.0 not in the middle of the values.",
                "바이트 0은 바이트의 한가운데이지만 0.0은 값의 한가운데가 아닙니다.",
            ),
            -192: (
                "The minimum is negative: mind the sign.",
                "최솟값이 음수입니다. 부호에 주의하세요.",
            ),
            -64.25: ("A zero point is a byte: round it.", "영점은 바이트입니다. 반올림하세요."),
            -128: ("That byte means the minimum, -1.", "그 바이트는 최솟값 -1을 뜻합니다."),
        },
        tolerance=1e-6,
    ),
    "faster": choice(
        "pruned filters",
        {
            "pruned weights": (
                "Multiplying by zero takes as long as by any number.",
                "0을 곱하는 데에도 똑같은 시간이 걸립니다.",
            ),
            "clustering": (
                "There are as many multiplications as before.",
                "곱셈의 수는 그대로입니다.",
            ),
        },
        ("Which one makes the layers smaller?", "층을 실제로 작게 만드는 것은 무엇인가요?"),
    ),
    "filter mask": function(
        _filter_mask,
        [(_KERNEL, 1), (_KERNEL, 2), (_KERNEL, 0)],
        (
            "np.abs(kernel).sum(axis=(0, 1, 2)) has a sum for each filter; np.argsort orders them.",
            "np.abs(kernel).sum(axis=(0, 1, 2))은 필터마다의 합이고, np.argsort는 작은 순서입니다.",
        ),
    ),
}
