"""The scores of a classifier before a softmax or sigmoid squashes them."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from kcnn.answers import are_probabilities, as_probabilities
from kcnn.explain.trace import operations, replaced
from kcnn.models.interface import as_declared

_SQUASHING = frozenset({"softmax", "log_softmax", "sigmoid", "log_sigmoid"})


def logits(model: keras.Model, images: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Return the scores float32 [N, classes] of images, before any softmax or sigmoid.

    A single output z, such as that of one sigmoid unit, stands for two classes: z is the evidence
    for the second one, -z that for the first. The gradients of squashed scores mislead: they vanish
    where the model is confident, and the gradient of one class depends on all the others.

    Args:
        model: with one image input; it runs in inference mode.
        images: [N, H, W, C], as the model takes them.

    Raises:
        ValueError: the output is not [N, classes], the scores are not finite, or the model squashes
            them with something other than an activation of Keras.

    >>> head = keras.layers.Dense(2, activation="softmax", bias_initializer="ones")
    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), head])
    >>> logits(model, tf.zeros((1, 4, 4, 3))).numpy()
    array([[1., 1.]], dtype=float32)
    """
    scores = _scores(model, images)
    return tf.concat([-scores, scores], axis=1) if scores.shape[1] == 1 else scores


def probabilities(model: keras.Model, images: tf.Tensor | np.ndarray) -> np.ndarray:
    """Return the softmax float32 [N, classes] of the scores, of a single output the sigmoid.

    Args:
        model: as for `logits`.
        images: [N, H, W, C], as the model takes them.
    """
    return as_probabilities(_scores(model, images).numpy(), None)


def _scores(model: keras.Model, images: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Return what is squashed, float32 [N, outputs]."""
    with ExitStack() as changes:
        for operation in operations(model).values():
            activation = vars(operation).get("activation")
            if getattr(activation, "__name__", "").removesuffix("_v2") in _SQUASHING:
                changes.enter_context(replaced(operation, "activation", _with_argument))
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


def static_shape(tensor: tf.Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor that has values, so that every size is known."""
    return cast("tuple[int, ...]", tuple(tensor.shape))


def _with_argument(activation: Callable[..., Any]) -> Callable[..., Any]:
    """Make an activation attach its argument to its result, as `_keras_logits`.

    Keras's own softmax and sigmoid do so already, for Keras's losses; `tf.nn.softmax` does not.
    """

    @wraps(activation)
    def squash(argument: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
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
