"""Which numbers a model expects for its pixels, read from its graph, and a warning about others."""

import inspect
import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from kcnn.arithmetic.nodes import nodes_of
from kcnn.models.applications import find_preprocessing

logger = logging.getLogger("kcnn")

_ANY_SIZE = 32
# The factor from a pixel's number to what the first layer with weights gets. Rescaling(1 / 255) has
# 0.004, a division by the standard deviation of pixels 0-255 at most 0.1.
_LARGEST_OF_RAW, _LARGEST_OF_UNIT = 0.125, 32.0
_RAW = 16  # pixels 0-255 have brighter ones
_NORMALIZING = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
)


def check_range(model: keras.Model, images: np.ndarray, *, called: str = "The images") -> None:
    """Log a warning if images have another range than the model expects.

    Args:
        model: any Keras model; nothing is said about one whose graph does not tell.
        images: a batch, as the model gets it.
        called: what the warning calls them.

    >>> check_range(keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()]),
    ...             np.zeros((1, 4, 4, 3)))
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size or images.dtype.kind not in "uif":
        return  # series and voxels may have any range
    low, high = float(images.min()), float(images.max())
    scaled, raw = low < 0 or 0 < high <= 1, low >= 0 and high > _RAW
    expected = expected_range(model) if scaled or raw else None
    if expected == "0-255" and scaled:
        logger.warning(
            "%s hold numbers of %.3g to %.3g, but model %r expects raw pixels of 0 to 255 and "
            "scales them itself: leave out your own scaling.",
            called,
            low,
            high,
            model.name,
        )
    elif expected == "scaled" and raw:
        logger.warning(
            "%s hold numbers of %.3g to %.3g, but model %r does not scale them: let it begin with "
            "keras.layers.Rescaling(1 / 255), or give it the pixels that it was trained on.",
            called,
            low,
            high,
            model.name,
        )


def expected_range(model: keras.Model) -> Literal["0-255", "scaled"] | None:
    """Return which pixels a model expects: raw ones, scaled ones, or None where it does not tell.

    What comes before the first layer with weights is run on black and on white pixels. A network
    that begins with a normalization of what it gets, or with a convolution and one, takes any
    range.

    >>> layers = keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3)
    >>> expected_range(keras.Sequential([keras.Input((8, 8, 3)), *layers]))
    '0-255'
    >>> expected_range(keras.Sequential([keras.Input((8, 8, 3)), layers[1]]))
    'scaled'
    """
    try:
        entrance = _enter(model)
    except Exception:  # whatever layers of the user's own raise for such images
        logger.debug("The range that model %r expects is not known.", model.name, exc_info=True)
        return None
    if entrance is None or isinstance(entrance.first, _NORMALIZING):
        return None
    scale = float(np.abs(entrance.white - entrance.black).mean()) / 255
    borrowed = find_preprocessing(model)
    if 0 < scale <= _LARGEST_OF_RAW or borrowed == "caffe":  # which only subtracts the mean
        return "0-255"
    takes_any = isinstance(entrance.second, _NORMALIZING) and not borrowed
    return None if scale > _LARGEST_OF_UNIT or takes_any else "scaled"


def changes_pixels(model: keras.Model) -> bool:
    """Return whether a model changes the numbers of its pixels before its first layer with weights.

    >>> changes_pixels(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)]))
    False
    """
    entrance = _enter(model)
    if entrance is None:
        return False
    padded = np.isin(entrance.white, (0, 255)).all()  # black may be added around the image
    return bool(entrance.black.any() or not padded)


@dataclass(frozen=True, eq=False)
class _Entrance:
    """Where a model's first weights are.

    Attributes:
        first: the first layer with weights.
        second: the operation after it, None if it is the last one.
        black: what the first layer gets of an image of zeros.
        white: what it gets of an image of 255s.
    """

    first: Any
    second: Any
    black: np.ndarray
    white: np.ndarray


def learned_scale(model: keras.Model, images: np.ndarray) -> float | None:
    """Return how much larger what the first batch norm gets is than what it has learned.

    About 1 for images as those that the model was trained on, 255 for raw pixels where they were
    scaled to 0-1. None if the model has no batch norm that was trained, or no graph to be seen.

    Args:
        model: any Keras model.
        images: a few, as the model will get them.
    """
    try:
        for operation, given in _walk(model, keras.ops.convert_to_tensor(images, "float32")):
            if isinstance(operation, keras.layers.BatchNormalization):
                return _compare_with_learned(operation, given)
    except Exception:  # whatever layers of the user's own raise
        logger.debug("Model %r does not show what it has learned.", model.name, exc_info=True)
    return None


def _compare_with_learned(norm: Any, given: Any) -> float | None:
    """Return the median over channels of the standard deviation that a batch norm sees and has."""
    mean, variance = (np.asarray(each) for each in (norm.moving_mean, norm.moving_variance))
    if not mean.any() and (variance == 1).all():
        return None
    values = np.asarray(keras.ops.convert_to_numpy(given), np.float64)
    axes = tuple(axis for axis in range(values.ndim) if axis != norm.axis % values.ndim)
    return float(np.median(values.std(axis=axes) / np.sqrt(variance + norm.epsilon)))


def _enter(model: keras.Model) -> _Entrance | None:
    """Return the entrance of a model with one input, None if its graph cannot be seen."""
    inputs = getattr(model, "inputs", None)
    if not inputs or len(inputs) != 1 or len(inputs[0].shape) < 3:
        return None
    shape = [size or _ANY_SIZE for size in inputs[0].shape[1:]]
    pixels = np.stack([np.zeros(shape, "float32"), np.full(shape, 255, "float32")])
    calls = _walk(model, keras.ops.convert_to_tensor(pixels))
    for operation, given in calls:
        if _has_weights(operation):
            black, white = np.asarray(keras.ops.convert_to_numpy(given), np.float64)
            return _Entrance(operation, next(calls, (None,))[0], black, white)
    return None


def _walk(model: Any, images: Any) -> Generator[tuple[Any, Any], None, Any]:
    """Run images through a model of one input: yield each operation and its first argument.

    Models inside the model are opened. Returns the output.
    """
    if not getattr(model, "inputs", None):
        return None
    graph: Any = keras.Model(model.inputs, model.outputs)
    values: dict[int, Any] = {id(graph.inputs[0]): images}
    for node in nodes_of(graph):
        operation = node.operation
        args, kwargs = node.arguments.fill_in(values)
        if isinstance(operation, keras.Model) and getattr(operation, "inputs", None):
            outputs = yield from _walk(operation, args[0])
        else:
            yield operation, args[0] if args else None
            if "training" in inspect.signature(operation.call).parameters:
                kwargs = {**kwargs, "training": False}
            outputs = operation(*args, **kwargs)
        flat = keras.tree.flatten(outputs)
        values |= {id(end): value for end, value in zip(node.outputs, flat, strict=True)}
    return [values[id(end)] for end in graph.outputs]


def _has_weights(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Normalization):
        return False  # its constants are no weights
    return bool(getattr(operation, "weights", ()))
