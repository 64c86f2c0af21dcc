"""The images on which int8 ranges are measured, and what is refused as such."""

from collections.abc import Iterator
from numbers import Integral

import numpy as np
import tensorflow as tf

SMALLEST_COUNT = 10
_HOW = "Pass training images as data.calibration gives them: uint8, raw pixels 0-255."


def calibration_images(
    calibration: tf.data.Dataset | np.ndarray | None, shape: tuple[int, ...], samples: int
) -> np.ndarray:
    """Return the first `samples` images as float32 `(count, height, width, channels)`, 0-255.

    The darkest of all values is moved to 0 and the brightest to 255.

    Args:
        calibration: batches of images, or of (images, labels), or one array of images; uint8,
            or floats of the same scale.
        shape: of one image, as the model takes it.
        samples: how many to take, at least 10; if there are no more, fewer are returned.

    Raises:
        ValueError: anything that would give wrong ranges, and so a model that only guesses.
    """
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < SMALLEST_COUNT:
        raise ValueError(
            f"samples must be an integer of at least {SMALLEST_COUNT}. Received: {samples!r}."
        )
    images = np.empty((0, *shape), np.float32)
    for batch in _batches(calibration):
        _check_batch(batch, shape)
        images = np.concatenate([images, batch[: samples - len(images)].astype(np.float32)])
        if len(images) == samples:
            break
    if len(images) < SMALLEST_COUNT:
        raise ValueError(
            f"Calibration needs at least {SMALLEST_COUNT} images, better 100 to 500. "
            f"Received: {len(images)}."
        )
    _check_scale(images)
    # The quantiser takes the input's range from what it sees. With a pure black and a pure white
    # value somewhere it is exactly 0-255; in real photographs both are there already.
    images.flat[images.argmin()] = 0
    images.flat[images.argmax()] = 255
    return images


def _batches(calibration: tf.data.Dataset | np.ndarray | None) -> Iterator[np.ndarray]:
    if isinstance(calibration, np.ndarray):
        yield calibration
    elif isinstance(calibration, tf.data.Dataset) and _of_the_test_set(calibration):
        raise ValueError(
            "calibration is data.test: ranges measured on test images make their score worthless. "
            f"{_HOW}"
        )
    elif isinstance(calibration, tf.data.Dataset):
        for element in calibration.as_numpy_iterator():
            yield element[0] if isinstance(element, tuple) else element
    else:
        raise ValueError(
            "calibration must be a tf.data.Dataset of images or (images, labels), or an array of "
            f"images. Received: {type(calibration).__name__}. {_HOW}"
        )


def _of_the_test_set(dataset: tf.data.Dataset) -> bool:
    """Tell whether a data set is `data.test`, or was made of it by take, map, shuffle and such."""
    return getattr(dataset, "holds_test_images", False) or any(
        map(_of_the_test_set, dataset._inputs())
    )


def _check_batch(batch: object, shape: tuple[int, ...]) -> None:
    known = isinstance(batch, np.ndarray)
    if not known or batch.ndim != 4 or batch.shape[1:] != shape:
        received = f"shape {batch.shape}" if known else type(batch).__name__
        raise ValueError(
            f"Calibration images must be batches of shape (count, {', '.join(map(str, shape))}). "
            f"Received: {received}."
        )
    if batch.dtype != np.uint8 and not np.issubdtype(batch.dtype, np.floating):
        raise ValueError(f"Calibration images must be uint8. Received: {batch.dtype}. {_HOW}")


def _check_scale(images: np.ndarray) -> None:
    low, high = images.min(), images.max()
    # Written so that NaN is refused too.
    if not (low >= 0 and 1 < high <= 255):
        raise ValueError(
            f"Calibration images must be raw pixels 0-255. Received: values from {low:.4g} to "
            f"{high:.4g}; with ranges measured on these the model would guess at random without "
            f"any error. {_HOW}"
        )
