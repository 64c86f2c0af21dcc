"""The scores of a classifier before a softmax or sigmoid squashes them."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps

import keras
import numpy as np
import tensorflow as tf

from kcnn.explain.trace import operations, replaced
from kcnn.models.interface import as_declared
from kcnn.prediction.probabilities import are_probabilities

_SQUASHING = frozenset({"softmax", "log_softmax", "sigmoid", "log_sigmoid"})


def logits(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """Return the scores float32 [N, classes] of images, before any squashing.

    The gradients of squashed scores mislead: they vanish where the model is sure, and one class's
    depends on all the others.

    Args:
        model: with one image input; it runs in inference mode.
        images: [N, H, W, C], as the model takes them.

    Raises:
        ValueError: the model gives something other than [N, classes], its scores are not finite, or
            it squashes them where they cannot be seen.

    >>> head = keras.layers.Dense(2, activation="softmax", bias_initializer="ones")
    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), head])
    >>> logits(model, tf.zeros((1, 4, 4, 3))).numpy()
    array([[1., 1.]], dtype=float32)
    """
    with ExitStack() as changes:
        for operation in operations(model).values():
            activation = vars(operation).get("activation")
            if getattr(activation, "__name__", "").removesuffix("_v2") in _SQUASHING:
                changes.enter_context(replaced(operation, "activation", _telling))
        outputs = model(as_declared(model, images), training=False)
    if not tf.is_tensor(outputs) or outputs.shape.rank != 2:
        received = getattr(outputs, "shape", type(outputs).__name__)
        raise ValueError(
            "An explanation needs a model with one output [N, classes]. Received: "
            f"{model.name!r} with {received}"
        )
    scores = tf.cast(getattr(outputs, "_keras_logits", outputs), "float32")
    _check(scores.numpy(), outputs.dtype)
    return scores


def _telling(activation: Callable) -> Callable:
    """Let an activation hang its argument on its result.

    Keras's softmax and sigmoid do that, for its own losses; `tf.nn.softmax` does not.
    """

    @wraps(activation)
    def squash(argument: tf.Tensor, *args, **kwargs) -> tf.Tensor:
        result = activation(argument, *args, **kwargs)
        result._keras_logits = argument
        return result

    return squash


def _check(scores: np.ndarray, dtype: tf.DType) -> None:
    if not np.isfinite(scores).all():
        raise ValueError("The model's scores are not finite: its weights or the images hold NaNs.")
    if are_probabilities(scores, rounding=1e-5 if dtype.size >= 4 else 1e-2):
        raise ValueError(
            "An explanation needs logits. Received: a model that ends in probabilities, or their "
            "logarithms, from something other than a Keras softmax. Let it end in logits."
        )
