"""The rule of one layer: which channels it outputs, and what removing channels does to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import keras
import numpy as np

from kcnn.compress.filters.channels import Channels, Kept, Labels

L1 = "l1"
BATCH_NORM_SCALE = "batch_norm_scale"
CRITERIA = (L1, BATCH_NORM_SCALE)

Weights = Sequence[np.ndarray]


def _same_config(kept: Kept) -> dict[str, Any]:
    return {}


def _same_weights(kept: Kept, weights: Weights) -> Weights:
    return weights


@dataclass(frozen=True)
class Rule:
    """What one layer does to the channels that flow through it.

    Attributes:
        output: labels of the channels of its output.
        config: returns the layer's options that change when only some channels are kept.
        weights: returns the part of the layer's weights that belongs to the kept channels.
        scores: by criterion, how important each channel of the output is. A layer has scores only
            if it can judge its channels.
    """

    output: Labels
    config: Callable[[Kept], dict[str, Any]] = _same_config
    weights: Callable[[Kept, Weights], Weights] = _same_weights
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)


# Takes a layer, the channels of its inputs and all channels, some of which it may tie.
RuleFunction = Callable[[Any, Sequence[Labels], Channels], Rule]


def barrier(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a layer that needs all channels of its inputs, and keeps all its own."""
    for labels in inputs:
        channels.fix(labels)
    return Rule(channels.whole(output_shape(layer)[-1]))


def remove_channels(*axes: dict[int, Labels]) -> Callable[[Kept, Weights], Weights]:
    """Return a function that removes channels from the weights of a layer.

    Args:
        *axes: for each weight, the labels of the channels along some of its axes.
    """

    def shrink(kept: Kept, weights: Weights) -> Weights:
        shrunk = []
        for weight, places in zip(weights, axes, strict=True):
            for axis, labels in places.items():
                weight = np.compress(kept(labels), weight, axis)
            shrunk.append(weight)
        return shrunk

    return shrink


def output_shape(layer: keras.layers.Layer) -> tuple[int, ...]:
    """Return the shape of the one output of a layer that was called once."""
    return cast(Any, layer.output).shape


def is_elementwise(activation: Callable[..., Any]) -> bool:
    """Return whether an activation computes each channel's output from that channel alone."""
    stock = getattr(activation, "__module__", "").startswith("keras.")
    return stock and activation.__name__ not in ("softmax", "log_softmax", "sparsemax", "glu")
