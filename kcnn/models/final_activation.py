"""Whether a Keras model ends in logits or in an activation, read from its graph."""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.answers import UNKNOWN
from kcnn.layers import FakeQuantize

# Layers and operations that in inference return their input's numbers: unchanged, in another
# shape or dtype, or only rounded.
_PASSIVE = (
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.ActivityRegularization,
    keras.layers.Flatten,
    keras.layers.Reshape,
    FakeQuantize,
)
_PASSIVE_OPERATIONS = frozenset({"Cast", "Flatten", "Reshape", "Squeeze", "StopGradient"})

# Keras's layers and operations that turn logits into (log) probabilities, by class name.
_SQUASHING = {
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
}
_WITH_KERNEL = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)


def final_activation(model: keras.Model) -> str | None:
    """Return the activation that turns a model's logits into (log) probabilities.

    Softmax and sigmoid are found as the activation of a layer, as a layer and as an operation of
    `keras.ops`, also inside nested models and before layers that change nothing, such as a cast,
    a reshape, a dropout or `Activation("linear")`.

    Returns:
        "softmax", "log_softmax", "sigmoid" or "log_sigmoid"; None for a model that ends in logits;
        `UNKNOWN` for one whose graph does not tell, such as a subclassed model.

    >>> image = keras.Input((8,))
    >>> final_activation(keras.Model(image, keras.layers.Dense(2, activation="softmax")(image)))
    'softmax'
    >>> final_activation(keras.Sequential([image, keras.layers.Dense(2)])) is None
    True
    """
    return _activation_of(_last_operation(model))


def find_final_operation(model: keras.Model) -> tuple[Any, str | None]:
    """Return the operation that makes probabilities of a model's logits, and what it applies.

    It is a layer with weights where the activation is one of its options. Both are None for a model
    that ends in logits, or whose graph does not tell.
    """
    operation = _last_operation(model)
    activation = _activation_of(operation)
    return (None, None) if activation in (None, UNKNOWN) else (operation, activation)


def _activation_of(operation: Any) -> str | None:
    kind = type(operation).__name__
    if type(operation).__module__.startswith("keras.") and kind in _SQUASHING:
        return _SQUASHING[kind]
    if not hasattr(operation, "activation"):
        return UNKNOWN
    return _named(operation.activation, isinstance(operation, _WITH_KERNEL))


def _named(activation: Any, has_kernel: bool) -> str | None:
    if isinstance(activation, keras.layers.Layer):
        return _SQUASHING.get(type(activation).__name__, UNKNOWN)
    name = getattr(activation, "__name__", "").removesuffix("_v2")  # `tf.nn.softmax` is softmax_v2
    if name in _SQUASHING.values():
        return name
    stock = getattr(activation, "__module__", "").startswith("keras.")
    return None if has_kernel and stock else UNKNOWN


def _last_operation(model: keras.Model) -> Any:
    """Return the operation that computes a model's only output, None if it cannot be seen."""
    outputs: Sequence[Any] = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        return None
    tensor = outputs[0]
    while True:
        history = tensor._keras_history
        operation = history.operation
        inner = getattr(operation, "outputs", None) if isinstance(operation, keras.Model) else None
        if inner:
            tensor = inner[history.tensor_index]
        elif _is_passive(operation):
            tensor = operation._inbound_nodes[history.node_index].input_tensors[0]
        else:
            return operation


def _is_passive(operation: Any) -> bool:
    if isinstance(operation, _PASSIVE):
        return True
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    stock = type(operation).__module__.startswith("keras.src.ops")
    return stock and type(operation).__name__ in _PASSIVE_OPERATIONS
