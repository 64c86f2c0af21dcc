"""Drawn pictures, which show what a filter looks for where no photograph is at hand."""

import numpy as np


def patterns(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return drawings by name, uint8 [height, width, channels].

    >>> {name: image.shape for name, image in patterns((4, 6, 3)).items()}
    {'edge': (4, 6, 3), 'disk': (4, 6, 3), 'stripes': (4, 6, 3)}
    """
    height, width, channels = shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    down, right = y / height, x / width
    drawn = {
        "edge": right > 0.5,
        "disk": (down - 0.5) ** 2 + (right - 0.5) ** 2 < 0.09,
        "stripes": (4 * (down + right)) % 1 < 0.5,
    }
    low, high = np.array([30, 60, 120], np.uint8), np.array([240, 200, 60], np.uint8)
    if channels == 1:
        low, high = np.array([20], np.uint8), np.array([235], np.uint8)
    return {name: np.where(inside[..., None], high, low) for name, inside in drawn.items()}
