"""The smaller model: the same layers with fewer filters and the weights of those that are left."""

import keras

from kcnn.arithmetic.graph import Call
from kcnn.compress.filters.channels import Kept
from kcnn.compress.filters.network import Network
from kcnn.models.rewrite import again, rewritten, trained_fast


def rebuild(network: Network, kept: Kept, name: str) -> keras.Model:
    """Return a new model of new layers, not compiled, made for the training that follows."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, rule = call.layer, network.rules[call.name]
        weights = rule.weights(kept, layer.get_weights())
        return again(layer, inputs, trained_fast(layer), weights, **rule.config(kept))

    return rewritten(network.calls, step, name=name)
