"""How far heat maps moved: what compression changed in what a model looks at."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from kcnn.explain.grad_cam import grad_cam
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.tflite_cam import tflite_cam
from kcnn.intervals import Estimate, bootstrap, wilson_interval

_TOP = 0.2  # the share of the map whose overlap is measured

Explained = keras.Model | str | os.PathLike | Heatmaps


@dataclass(frozen=True)
class Drift:
    """How far one model's heat maps lie from the reference's, for the same images and classes.

    Each is a mean over images and its 95 % interval.

    Attributes:
        correlation: Pearson's, between the values of the two maps: 1 for maps of one shape,
            whatever their strength.
        overlap: intersection over union of the strongest fifth of the two maps, 0-1. What is zero
            is never part of it.
        shift: how far the peak moved, in pixels of the image.
        changed: the share of images for which the models tell different classes, 0-1; None for
            ready heat maps, which do not say.
        left_out: how many images only `changed` counts, because one of their two maps is the same
            everywhere, such as empty, and so has no place to compare.
    """

    correlation: Estimate
    overlap: Estimate
    shift: Estimate
    changed: Estimate | None
    left_out: int


def drift(reference: Explained, *others: Explained, images: np.ndarray) -> tuple[Drift, ...]:
    """Report how far the heat maps of compressed models moved away from those of the original.

    Use it after pruning or quantization: accuracy can stay while the evidence moves. Explained is,
    for every model, the class that the reference tells. Keras models are explained by Grad-CAM,
    which is the exact CAM where they end in global average pooling, as files are.

    The intervals are bootstrapped over the images, that of `changed` is Wilson's: they tell how
    much depends on the choice of images.

    Args:
        reference: the model before compression: a Keras model, the path of a `.tflite` file, see
            `tflite_cam`, or ready heat maps of the images.
        others: the models after it, of any of these kinds.
        images: uint8 [N, H, W, C], at least two; a hundred or more give narrow intervals.

    Returns:
        One `Drift` for each of `others`.

    Raises:
        ValueError: a model cannot be explained on the images, or the maps of two do not compare.

    >>> left, right = np.zeros((2, 2, 4, 4), "float32")
    >>> left[:, 1, 0], right[:, 1, 2] = 1, 1
    >>> maps = [Heatmaps(raw, np.array([3, 3]), np.ones(2), "relu") for raw in (left, right)]
    >>> moved, = drift(*maps, images=np.zeros((2, 32, 32, 3), np.uint8))
    >>> moved.overlap.mean, moved.shift.mean  # two cells of 8 pixels each
    (0.0, 16.0)
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) < 2:
        raise ValueError(
            f"A drift needs at least two images [N, H, W, C]. Received: shape {images.shape}."
        )
    first, told = _explained(reference, images)
    drifts = []
    for other in others:
        second, answers = _explained(other, images, first.class_index)
        _check(first, second, len(images))
        known = told is not None and answers is not None
        changed = _share(told != answers) if known else None
        drifts.append(_drift(first.raw, second.raw, images.shape[1:3], changed))
    return tuple(drifts)


def _explained(
    model: Explained, images: np.ndarray, wanted: np.ndarray | None = None
) -> tuple[Heatmaps, np.ndarray | None]:
    """Return the maps of the wanted classes, or of those told, and the classes told if known."""
    if isinstance(model, Heatmaps):
        return model, None
    explain = _explainer(model)
    heatmaps = explain(images)
    told = heatmaps.class_index
    if wanted is None or np.array_equal(wanted, told):
        return heatmaps, told
    return explain(images, wanted), told


def _explainer(model: keras.Model | str | os.PathLike) -> Callable[..., Heatmaps]:
    if isinstance(model, keras.Model):
        return partial(grad_cam, model)
    if isinstance(model, str | os.PathLike):
        return partial(tflite_cam, model)
    raise ValueError(
        "A drift is between Keras models, paths of .tflite files and Heatmaps. "
        f"Received: {type(model).__name__}."
    )


def _check(first: Heatmaps, second: Heatmaps, count: int) -> None:
    if not len(first.raw) == len(second.raw) == count or first.raw.shape != second.raw.shape:
        raise ValueError(
            f"Expected heat maps of {count} images and of one size. Received: {first.raw.shape} at "
            f"layer {first.layer!r} and {second.raw.shape} at layer {second.layer!r}."
        )
    if not np.array_equal(first.class_index, second.class_index):
        raise ValueError("The heat maps explain different classes: make both with one class_index.")


def _drift(
    first: np.ndarray, second: np.ndarray, size: tuple[int, int], changed: Estimate | None
) -> Drift:
    """Compare maps [N, h, w] of images of `size`."""
    shaped = [raw.min(axis=(1, 2)) < raw.max(axis=(1, 2)) for raw in (first, second)]
    both = shaped[0] & shaped[1]
    first, second = (raw[both].astype(np.float64) for raw in (first, second))
    measures = (_correlation(first, second), _overlap(first, second), _shift(first, second, size))
    return Drift(*map(bootstrap, measures), changed, left_out=int((~both).sum()))


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = (raw - raw.mean(axis=(1, 2), keepdims=True) for raw in (first, second))
    norms = [np.sqrt((raw**2).sum(axis=(1, 2))) for raw in (first, second)]
    return (first * second).sum(axis=(1, 2)) / (norms[0] * norms[1])


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = _strongest(first), _strongest(second)
    return (first & second).sum(axis=(1, 2)) / (first | second).sum(axis=(1, 2))


def _strongest(raw: np.ndarray) -> np.ndarray:
    values = np.sort(_flat(raw), axis=1)
    weakest = values[:, -max(1, round(_TOP * values.shape[1])), None, None]
    return (raw >= weakest) & (raw > 0)


def _shift(first: np.ndarray, second: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    peaks = [
        np.stack(np.unravel_index(_flat(raw).argmax(axis=1), raw.shape[1:]))
        for raw in (first, second)
    ]
    pixels = np.divide(size, first.shape[1:])[:, None]  # of the image, in a cell of the map
    return np.hypot(*((peaks[0] - peaks[1]) * pixels))


def _flat(raw: np.ndarray) -> np.ndarray:
    return raw.reshape(len(raw), raw.shape[1] * raw.shape[2])


def _share(chosen: np.ndarray) -> Estimate:
    """Return Wilson's interval, which stays honest where the share is nought."""
    share, count = float(chosen.mean()), len(chosen)
    return Estimate(share, *wilson_interval(share, count), count)
