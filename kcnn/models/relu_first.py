"""A ReLU behind a concatenation, moved in front of it."""

import logging
from typing import Any

import keras

from kcnn.models.copies import copy_layer
from kcnn.models.rewrite import find_sole_readers

L = keras.layers

logger = logging.getLogger("kcnn")


def relu_first(model: keras.Model) -> keras.Model:
    """Return the same function, in which every ReLU stands before the concatenation that it reads.

    TensorFlow Lite fuses a ReLU into the convolution in front of it, but not over a concatenation.
    In an int8 file it is then an operator of its own, without a fast kernel: the grouped
    convolutions of AlexNet, which are convolutions of slices, take twice as long.

    Args:
        model: with one input and one output. It is not changed.

    Returns:
        A new model of new layers; `model` itself if there is nothing to move, or if it has layers
        that cannot be copied.
    """
    graph: Any = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    layers = {layer.name: layer for layer in graph.layers}
    moved = {
        name: layers[reader]
        for name, reader in find_sole_readers(graph).items()
        if layers.get(name).__class__ is L.Concatenate and _is_relu(layers.get(reader))
    }
    if not moved:
        return model
    try:
        return _moved(graph, moved)
    except Exception:  # layers of the user's own raise anything when they are copied
        logger.debug("The ReLUs of model %r stay where they are.", model.name, exc_info=True)
        return model


def _is_relu(layer: Any) -> bool:
    if layer.__class__ is L.ReLU:
        return not layer.negative_slope
    known = (keras.activations.relu, keras.activations.relu6)
    return layer.__class__ is L.Activation and layer.activation in known


def _moved(graph: keras.Model, moved: dict[str, Any]) -> keras.Model:
    dropped = {layer.name for layer in moved.values()}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in dropped:
            return args[0]
        if layer.name in moved:
            relu = moved[layer.name]
            config = relu.get_config()
            parts = [
                relu.__class__.from_config(config | {"name": f"{relu.name}_{number}"})(part)
                for number, part in enumerate(args[0])
            ]
            return layer(parts)
        return layer(*args, **kwargs)

    copied = keras.models.clone_model(graph, clone_function=copy_layer, call_function=call)
    for source in graph.layers:
        if source.name not in dropped and not isinstance(source, L.InputLayer):
            copied.get_layer(source.name).set_weights(source.get_weights())
        if isinstance(source, L.Normalization):
            copied.get_layer(source.name).finalize_state()
    return copied
