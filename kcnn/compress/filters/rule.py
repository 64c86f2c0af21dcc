"""What one layer does to the channels that flow through it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from kcnn.compress.filters.channels import Channels, Kept, Labels

L1 = "l1"
BATCH_NORM_SCALE = "batch_norm_scale"
CRITERIA = (L1, BATCH_NORM_SCALE)

Weights = Sequence[np.ndarray]


def _same_config(kept: Kept) -> dict:
    return {}


def _same_weights(kept: Kept, weights: Weights) -> Weights:
    return weights


@dataclass(frozen=True)
class Rule:
    """What one layer does to the channels."""

    output: Labels
    """The channels of its output."""
    config: Callable[[Kept], dict] = _same_config
    """The options that change where channels go."""
    weights: Callable[[Kept, Weights], Weights] = _same_weights
    """Its weights without those of the channels that go."""
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What each channel of the output is worth, by criterion, as far as this layer can tell."""


def barrier(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a layer of any kind, before and behind which all channels stay."""
    for labels in inputs:
        channels.fix(labels)
    return Rule(channels.whole(layer.output.shape[-1]))


def remove_channels(*axes: dict[int, Labels]) -> Callable[[Kept, Weights], Weights]:
    """Return what takes channels out of weights: for each weight, which ones lie along an axis."""

    def shrink(kept: Kept, weights: Weights) -> Weights:
        shrunk = []
        for weight, places in zip(weights, axes, strict=True):
            for axis, labels in places.items():
                weight = np.compress(kept(labels), weight, axis)
            shrunk.append(weight)
        return shrunk

    return shrink


def is_elementwise(activation: Callable) -> bool:
    """Whether a channel's output depends on its own input only."""
    stock = getattr(activation, "__module__", "").startswith("keras.")
    return stock and activation.__name__ not in ("softmax", "log_softmax", "sparsemax", "glu")
