"""Take the images on which int8 ranges are measured, and refuse those that give wrong ranges."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from kcnn.checks import check_count
from kcnn.data.own_batches import TAKEN, read_batches

SMALLEST_COUNT = 10
_AXES_OF_IMAGES = 3
_NOISE = 8
_HOW = "Pass training images as data.calibration gives them: uint8, raw pixels 0-255."


def calibration_images(
    calibration: tf.data.Dataset | np.ndarray | None, shape: tuple[int, ...], samples: int
) -> np.ndarray:
    """Return the first `samples` images as float32 `(count, height, width, channels)`, 0-255.

    The darkest of all values becomes 0 and the brightest 255. Series and voxels stay as they are.

    Args:
        calibration: batches of images, or of images and labels of any library that
            `kcnn.data.own_batches` reads, or one array of images; uint8, or floats of the same
            scale.
        shape: of one image, as the model takes it.
        samples: how many images to take, at least 10. If the data hold fewer, all are returned.

    Raises:
        ValueError: the images would give wrong ranges, and so a model that only guesses.
    """
    check_count("samples", samples, minimum=SMALLEST_COUNT)
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
    if len(shape) != _AXES_OF_IMAGES:
        _check_finite(images)
        return images
    _check_scale(images)
    # The quantizer measures the input's range on these images. One pure black and one pure white
    # value make it exactly 0-255; real photographs have both already.
    images.flat[images.argmin()] = 0
    images.flat[images.argmax()] = 255
    return images


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """Return images of noise, float32 `(count, height, width, channels)`, where none are needed."""
    pixels = np.random.default_rng(0).integers(0, 256, (_NOISE, *shape))
    return pixels.astype(np.float32)


def _batches(calibration: tf.data.Dataset | np.ndarray | None) -> Iterator[np.ndarray]:
    if isinstance(calibration, np.ndarray):
        yield calibration
    elif isinstance(calibration, tf.data.Dataset) and _of_the_test_set(calibration):
        raise ValueError(
            "calibration is data.test: ranges measured on test images make their score worthless. "
            f"{_HOW}"
        )
    elif isinstance(calibration, tf.data.Dataset) and not _has_labels(calibration):
        for element in calibration.as_numpy_iterator():
            yield element[0] if isinstance(element, tuple) else element
    elif calibration is None or hasattr(calibration, "steps_per_epoch"):
        raise ValueError(
            f"calibration must be an array of images, or {TAKEN}. "
            f"Received: {type(calibration).__name__}. {_HOW}"
        )
    else:
        for batch in read_batches(calibration):
            yield batch.images


def _has_labels(dataset: tf.data.Dataset) -> bool:
    return isinstance(dataset.element_spec, tuple) and len(dataset.element_spec) > 1


def _of_the_test_set(dataset: tf.data.Dataset) -> bool:
    """Return whether a data set is `data.test`, or was made from it by take, map, shuffle, ..."""
    return getattr(dataset, "holds_test_images", False) or any(
        map(_of_the_test_set, dataset._inputs())
    )


def _check_batch(batch: Any, shape: tuple[int, ...]) -> None:
    known = isinstance(batch, np.ndarray)
    if not known or batch.shape[1:] != shape:
        received = f"shape {batch.shape}" if known else type(batch).__name__
        raise ValueError(
            f"Calibration images must be batches of shape (count, {', '.join(map(str, shape))}). "
            f"Received: {received}."
        )
    pixels = len(shape) == _AXES_OF_IMAGES
    if pixels and batch.dtype != np.uint8 and not np.issubdtype(batch.dtype, np.floating):
        raise ValueError(f"Calibration images must be uint8. Received: {batch.dtype}. {_HOW}")


def _check_scale(images: np.ndarray) -> None:
    low, high = images.min(), images.max()
    # Written so that NaN is refused too.
    if not (low >= 0 and 1 < high <= 255):
        raise ValueError(
            f"Calibration images must be raw pixels 0-255. Received: values from {low:.4g} to "
            f"{high:.4g}. With ranges measured on these, the model would guess at random, without "
            f"any error. {_HOW}"
        )


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            "Calibration data must be finite numbers: ranges measured on NaNs or infinities are "
            "none."
        )
