"""Rewrites of a model that must not change its answers, and a look at whether they did."""

import logging
from collections.abc import Callable

import keras
import numpy as np

logger = logging.getLogger("kcnn")

_TOLERANCE = 1e-3  # of the largest answer, for roundings in another order
_IMAGES = 8  # a wrong rewrite is wrong for each


def rewrite_exactly(
    model: keras.Model, rewrite: Callable[[keras.Model], keras.Model], images: np.ndarray
) -> keras.Model:
    """Return what `rewrite` makes of a model if that answers as the model, else the model itself.

    Args:
        model: it is not changed.
        rewrite: is meant to return the same function.
        images: a few of those that the model will get.

    Raises:
        RuntimeError: the rewritten model answers differently, and the model itself takes integers,
            which no file does.

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    >>> rewrite_exactly(model, lambda model: model, np.zeros((1, 4, 4, 3))) is model
    True
    """
    rewritten = rewrite(model)
    if rewritten is model:
        return model
    expected, found = (_answers(each, images[:_IMAGES]) for each in (model, rewritten))
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    if np.allclose(found, expected, rtol=0, atol=_TOLERANCE * largest, equal_nan=True):
        return rewritten
    wrong = f"Model {model.name!r} with its scaling of the pixels folded answers differently"
    if model.inputs[0].dtype != "float32":
        raise RuntimeError(
            f"{wrong}. Build it with keras.Input(shape) for float32 images, and set_weights."
        )
    logger.warning("%s, so it is exported as it is. Please report this.", wrong)
    return model


def _answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    outputs = model(images.astype(model.inputs[0].dtype), training=False)
    return np.asarray(keras.ops.convert_to_numpy(outputs), np.float64)
