"""Whether a Keras model ends in logits or in an activation, read from its graph."""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.answers import UNKNOWN
from kcnn.layers import FakeQuantize
from kcnn.models.final_values import Reader

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
    a reshape, a dropout or `Activation("linear")`, or that keep probabilities: a concatenation of
    sigmoids, a minimum or maximum with a constant, an average. A hard sigmoid is one, too.

    Returns:
        "softmax", "log_softmax", "sigmoid" or "log_sigmoid"; None for a model that ends in logits;
        `UNKNOWN` for one whose graph does not tell, such as a subclassed model.

    >>> image = keras.Input((8,))
    >>> final_activation(keras.Model(image, keras.layers.Dense(2, activation="softmax")(image)))
    'softmax'
    >>> final_activation(keras.Sequential([image, keras.layers.Dense(2)])) is None
    True
    """
    outputs: Sequence[Any] = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        return UNKNOWN
    return Reader(_maker, _activation_of).values(outputs[0]).final


def find_final_operation(model: keras.Model) -> tuple[Any, str | None]:
    """Return the operation that makes probabilities of a model's logits, and what it applies.

    It is a layer with weights where the activation is one of its options. Both are None for a model
    that ends in logits, or whose graph does not tell, or that does more with the probabilities.
    """
    outputs: Sequence[Any] = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        return None, None
    operation, _ = _maker(outputs[0])
    activation = _activation_of(operation)
    return (None, None) if activation in (None, UNKNOWN) else (operation, activation)


def _maker(tensor: Any) -> tuple[Any, Any]:
    """Return the operation that computes a tensor's numbers, and its node."""
    while True:
        history = tensor._keras_history
        operation = history.operation
        inner = getattr(operation, "outputs", None) if isinstance(operation, keras.Model) else None
        if inner:
            tensor = inner[history.tensor_index]
            continue
        nodes = operation._inbound_nodes
        node = nodes[history.node_index] if history.node_index < len(nodes) else None
        if node is None or not _is_passive(operation):
            return operation, node
        tensor = node.input_tensors[0]


def _is_passive(operation: Any) -> bool:
    if isinstance(operation, _PASSIVE):
        return True
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    stock = type(operation).__module__.startswith("keras.src.ops")
    return stock and type(operation).__name__ in _PASSIVE_OPERATIONS


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
