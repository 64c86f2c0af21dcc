"""What a model takes and what it returns: the shape of its images, and its last activation."""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.layers import FakeQuantize

# Layers that in inference return their input unchanged, or only round it.
_PASSIVE = (
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.ActivityRegularization,
    FakeQuantize,
)

# Keras's layers and operations that turn logits into (log) probabilities, by class name.
_SQUASHING = {
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
}


def image_shape(model: keras.Model) -> tuple[int | None, int | None, int | None]:
    """Return (height, width, channels) of a model's images, None where any size is allowed.

    All three are None for a subclassed model, which does not show its input.

    >>> image_shape(keras.Sequential([keras.Input((None, None, 3)), keras.layers.ReLU()]))
    (None, None, 3)
    """
    inputs = getattr(model, "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else (None, None, None)


def as_declared(model: keras.Model, images: Any) -> Any:
    """Return `images` in the structure of a functional model's input: a tensor, list or dict."""
    if not isinstance(model, keras.Function):
        return images
    return keras.tree.map_structure(lambda _: images, model.input)


def final_activation(model: keras.Model) -> str | None:
    """Return the activation that turns a model's logits into (log) probabilities.

    Returns:
        "softmax", "log_softmax", "sigmoid" or "log_sigmoid"; None for a model that ends in logits,
        and for one whose last operation cannot be seen, such as a subclassed model.

    >>> image = keras.Input((8,))
    >>> final_activation(keras.Model(image, keras.layers.Dense(2, activation="softmax")(image)))
    'softmax'
    >>> final_activation(keras.Sequential([image, keras.layers.Dense(2)])) is None
    True
    """
    operation = _last_operation(model)
    if type(operation).__module__.startswith("keras.") and type(operation).__name__ in _SQUASHING:
        return _SQUASHING[type(operation).__name__]
    activation = getattr(operation, "activation", None)
    if isinstance(activation, keras.layers.Layer):
        return _SQUASHING.get(type(activation).__name__)
    name = getattr(activation, "__name__", "").removesuffix("_v2")  # `tf.nn.softmax` is softmax_v2
    return name if name in _SQUASHING.values() else None


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
        elif isinstance(operation, _PASSIVE):
            tensor = operation._inbound_nodes[history.node_index].input_tensors[0]
        else:
            return operation
