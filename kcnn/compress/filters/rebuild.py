"""The smaller model: the same layers with fewer filters and the weights of those that are left."""

import keras

from kcnn.arithmetic.layer_calls import Call
from kcnn.compress.filters.channels import Kept
from kcnn.compress.filters.network import Network
from kcnn.models.rewrite import call_copy, fast_layer_class, rewrite


def rebuild(network: Network, kept: Kept, name: str) -> keras.Model:
    """Return a new model of new layers, not compiled, made for the training that follows."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, rule = call.layer, network.rules[call.name]
        weights = rule.weights(kept, layer.get_weights())
        return call_copy(layer, inputs, fast_layer_class(layer), weights, **rule.config(kept))

    return rewrite(network.calls, step, name=name)
