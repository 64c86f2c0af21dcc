"""Rebuild in Keras 2 the model that `kcnn.compress.to_keras2` described."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kcnn.compress.bridge.own_layers import define_activations, make_own_layers

if TYPE_CHECKING:
    import tf_keras


def rebuild(layers: list[dict], weights: dict[str, np.ndarray]) -> "tf_keras.Model":
    """Return the Keras 2 model of these layers and weights, both as `to_keras2` writes them."""
    import tf_keras

    define_activations()
    own: dict[str, Any] = make_own_layers()
    tensors: dict[str, Any] = {}
    for layer in layers:
        name = layer["name"]
        if layer["class_name"] == "InputLayer":
            tensors[name] = tf_keras.Input(**layer["config"], name=name)
            continue
        layer_class = own.get(layer["class_name"]) or getattr(tf_keras.layers, layer["class_name"])
        rebuilt = layer_class(**layer["config"], name=name)
        inputs = [tensors[source] for source in layer["inputs"]]
        tensors[name] = rebuilt(inputs if len(inputs) > 1 else inputs[0])
        rebuilt.set_weights([weights[f"{name}/{i}"] for i in range(len(rebuilt.weights))])
    ends = list(tensors.values())
    return tf_keras.Model(ends[0], ends[-1])


def named_weights(model: "tf_keras.Model") -> dict[str, np.ndarray]:
    """Return all weights by the keys of `to_keras2.named_weights`."""
    return {
        f"{layer.name}/{i}": weight
        for layer in model.layers
        for i, weight in enumerate(layer.get_weights())
    }


def measure_difference(model: "tf_keras.Model", probe: Mapping[str, np.ndarray]) -> float:
    """Return the largest error of the model's outputs, relative to the largest expected one."""
    expected = probe["outputs"]
    outputs = model(probe["images"], training=False).numpy()
    return float(np.abs(outputs - expected).max() / max(1.0, np.abs(expected).max()))
