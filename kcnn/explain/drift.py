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
from kcnn.notebook import html_facts

_TOP = 0.2  # the share of the map whose overlap is measured

Explained = keras.Model | str | os.PathLike | Heatmaps


@dataclass(frozen=True)
class Drift:
    """How far one model's heat maps lie from the reference's, for the same images and classes.

    Each number is a mean over the images with its 95 % interval.

    Attributes:
        correlation: Pearson's correlation of the values of the two maps, -1 to 1. Maps of the same
            shape have 1, whatever their strength.
        overlap: intersection over union of the strongest fifth of the two maps, 0-1. Zeros are
            never part of it.
        shift: how far the peak moved, in pixels of the image.
        changed: the share of images for which the two models predict different classes, 0-1; None
            where one of them was given as ready heat maps, which do not hold its predictions.
        left_out: how many images count for `changed` only. One of their two maps is constant, for
            example empty, and so has no place to compare.
    """

    correlation: Estimate
    overlap: Estimate
    shift: Estimate
    changed: Estimate | None
    left_out: int

    def _repr_html_(self) -> str:
        return html_facts("drift of the heat maps, with 95 % intervals", vars(self))


def drift(reference: Explained, *others: Explained, images: np.ndarray) -> tuple[Drift, ...]:
    """Measure how far the heat maps of compressed models moved away from those of the original.

    Use it after pruning or quantization: accuracy can stay the same while the evidence moves. All
    maps explain the classes that the reference predicts. Keras models are explained by Grad-CAM,
    `.tflite` files by CAM; for a model that ends in global average pooling the two are the same.

    The intervals show how much each number depends on the choice of images: bootstrap intervals,
    and for `changed` Wilson's.

    Args:
        reference: the model before compression: a Keras model, the path of a `.tflite` file, see
            `tflite_cam`, or ready heat maps of the images.
        others: the models after compression, each of any of these kinds.
        images: uint8 [N, H, W, C], at least two; a hundred or more give narrow intervals.

    Returns:
        One `Drift` for each of `others`.

    Raises:
        ValueError: a model cannot be explained on the images, or two heat maps have different
            sizes or explain different classes.

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
    first, predicted = _explained(reference, images)
    drifts = []
    for other in others:
        second, answers = _explained(other, images, first.class_index)
        _check(first, second, len(images))
        known = predicted is not None and answers is not None
        changed = _share(predicted != answers) if known else None
        drifts.append(_drift(first.raw, second.raw, images.shape[1:3], changed))
    return tuple(drifts)


def _explained(
    model: Explained, images: np.ndarray, wanted: np.ndarray | None = None
) -> tuple[Heatmaps, np.ndarray | None]:
    """Return the heat maps of the wanted classes and, where known, the predicted classes.

    By default the predicted classes are explained.
    """
    if isinstance(model, Heatmaps):
        return model, None
    explain = _explainer(model)
    heatmaps = explain(images)
    predicted = heatmaps.class_index
    if wanted is None or np.array_equal(wanted, predicted):
        return heatmaps, predicted
    return explain(images, wanted), predicted


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
    first: np.ndarray, second: np.ndarray, size: tuple[int, ...], changed: Estimate | None
) -> Drift:
    """Compare maps [N, h, w] of images of `size`."""
    shaped = [raw.min(axis=(1, 2)) < raw.max(axis=(1, 2)) for raw in (first, second)]
    both = shaped[0] & shaped[1]
    first, second = (raw[both].astype(np.float64) for raw in (first, second))
    return Drift(
        correlation=bootstrap(_correlation(first, second)),
        overlap=bootstrap(_overlap(first, second)),
        shift=bootstrap(_shift(first, second, size)),
        changed=changed,
        left_out=int((~both).sum()),
    )


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


def _shift(first: np.ndarray, second: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    peaks = [
        np.stack(np.unravel_index(_flat(raw).argmax(axis=1), raw.shape[1:]))
        for raw in (first, second)
    ]
    pixels = np.divide(size, first.shape[1:])[:, None]  # of the image, in a cell of the map
    return np.hypot(*((peaks[0] - peaks[1]) * pixels))


def _flat(raw: np.ndarray) -> np.ndarray:
    return raw.reshape(len(raw), raw.shape[1] * raw.shape[2])


def _share(chosen: np.ndarray) -> Estimate:
    """Return a share with Wilson's interval, which is right for a share of 0 too."""
    share, count = float(chosen.mean()), len(chosen)
    return Estimate(share, *wilson_interval(share, count), count)
