"""Rules of layers that pass channels on, alone or merged with those of other layers."""

from collections.abc import Sequence
from typing import Any, cast

import keras
import numpy as np

from kcnn.compress.filters.channels import Channels, Kept, Labels
from kcnn.compress.filters.rule import (
    BATCH_NORM_SCALE,
    Rule,
    barrier,
    is_elementwise,
    output_shape,
    remove_channels,
)

L = keras.layers


def unchanged(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a layer that computes every channel alike and alone."""
    return Rule(inputs[0])


def activation(layer: L.Activation, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of an activation, which is a barrier if it reads several channels."""
    rule_function = unchanged if is_elementwise(layer.activation) else barrier
    return rule_function(layer, inputs, channels)


def rescaling(layer: L.Rescaling, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a rescaling, a barrier unless one number holds for all channels."""
    single = np.size(layer.scale) == np.size(layer.offset) == 1
    return (unchanged if single else barrier)(layer, inputs, channels)


def dropout(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a dropout, a barrier if it drops some channels of all pixels at once."""
    shape = layer.noise_shape
    alike = not shape or shape[-1] == 1  # each channel by itself, or all of them together
    return (unchanged if alike else barrier)(layer, inputs, channels)


def prelu(layer: L.PReLU, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a PReLU, with one slope for each channel or one for all."""
    (read,) = inputs
    shared = layer.alpha.shape[-1] != len(read)
    return Rule(read, weights=remove_channels({} if shared else {-1: read}))


def batch_norm(layer: L.BatchNormalization, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a batch norm: its statistics and scales go with their channels."""
    (read,) = inputs
    by_channel = layer.axis in (-1, len(output_shape(layer)) - 1)
    places = [{0: read} if by_channel else {}] * len(layer.weights)
    scores = {BATCH_NORM_SCALE: np.abs(layer.gamma)} if by_channel and layer.scale else {}
    return Rule(read, weights=remove_channels(*places), scores=scores)


def flatten(layer: L.Flatten, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a flattening: every position has all channels, one after the other."""
    (read,) = inputs
    return Rule(np.tile(read, output_shape(layer)[-1] // len(read)))


def reshape(layer: L.Reshape, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a reshaping, a barrier unless it keeps the channels or flattens."""
    (read,) = inputs
    rank, size = len(output_shape(layer)), output_shape(layer)[-1]
    if size % len(read) or rank > 2 and size != len(read):
        return barrier(layer, inputs, channels)
    output = np.tile(read, size // len(read))
    target_shape = cast(tuple[int, ...], layer.target_shape)

    def config(kept: Kept) -> dict[str, Any]:
        return {"target_shape": (*target_shape[:-1], int(kept(output).sum()))}

    return Rule(output, config)


def borders(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a padding or cropping.

    With data_format="channels_first" it also pads or crops the last axis, which holds the channels
    in a network with the channels last.
    """
    (read,) = inputs
    key = "cropping" if hasattr(layer, "cropping") else "padding"
    if layer.data_format == "channels_last":
        return Rule(read)
    sizes = np.reshape(getattr(layer, key), (-1, 2)).tolist()
    before, after = sizes[-1]
    if key == "cropping":
        ends = read[:before], read[len(read) - after :]
        output = read[before : len(read) - after]
    else:
        # Channels of zeros, which are removed with those that they are added to.
        ends = channels.fresh(before), channels.fresh(after)
        output = np.concatenate([ends[0], read, ends[1]])

    def config(kept: Kept) -> dict[str, Any]:
        changed = [*sizes[:-1], [int(kept(end).sum()) for end in ends]]
        return {key: tuple(map(tuple, changed)) if len(changed) > 1 else tuple(changed[0])}

    return Rule(output, config)


def merge(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a sum, a product and the like, which ties channels by position."""
    widest = max(inputs, key=len)
    channels.tie(*[labels for labels in inputs if len(labels) == len(widest)])
    for labels in inputs:
        if len(labels) < len(widest):  # one channel for all
            channels.fix(labels)
    return Rule(widest)


def concatenate(layer: L.Concatenate, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a concatenation, of channels or of positions."""
    if layer.axis in (-1, len(output_shape(layer)) - 1):
        return Rule(np.concatenate(inputs))
    return merge(layer, inputs, channels)
