"""The smaller model: the same layers with fewer filters and the weights of those that are left."""

import keras

from kcnn.arithmetic.graph import Call
from kcnn.compress.filters.channels import Kept
from kcnn.compress.filters.network import Network
from kcnn.layers import BatchNormalization
from kcnn.models.rewrite import again, rewritten

# For the training that follows: kcnn's own is faster.
_FUSED = {keras.layers.BatchNormalization: BatchNormalization}


def rebuild(network: Network, kept: Kept, name: str) -> keras.Model:
    """Return a new model of new layers, not compiled."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, rule = call.layer, network.rules[call.name]
        weights = rule.weights(kept, layer.get_weights())
        return again(layer, inputs, _FUSED.get(layer.__class__), weights, **rule.config(kept))

    return rewritten(network.calls, step, name=name)
