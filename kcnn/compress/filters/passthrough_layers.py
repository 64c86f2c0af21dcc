"""Layers that hand channels on, alone or joined with those of other layers."""

from collections.abc import Sequence

import keras
import numpy as np

from kcnn.compress.filters.channels import Channels, Kept, Labels
from kcnn.compress.filters.rule import (
    BATCH_NORM_SCALE,
    Rule,
    barrier,
    is_elementwise,
    remove_channels,
)

L = keras.layers


def unchanged(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Layer that treats every channel alike and on its own."""
    return Rule(inputs[0])


def activation(layer: L.Activation, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Activation, which is a barrier if it looks at several channels."""
    known = unchanged if is_elementwise(layer.activation) else barrier
    return known(layer, inputs, channels)


def rescaling(layer: L.Rescaling, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Rescaling, by the same numbers for all channels or else a barrier."""
    single = np.size(layer.scale) == np.size(layer.offset) == 1
    return (unchanged if single else barrier)(layer, inputs, channels)


def dropout(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Dropout, which is a barrier where it has a shape of its own."""
    return (barrier if layer.noise_shape else unchanged)(layer, inputs, channels)


def prelu(layer: L.PReLU, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """PReLU, with a slope for each channel or one for all."""
    (read,) = inputs
    shared = layer.alpha.shape[-1] != len(read)
    return Rule(read, weights=remove_channels({} if shared else {-1: read}))


def batch_norm(layer: L.BatchNormalization, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Batch norm: its statistics and scales go with their channels."""
    (read,) = inputs
    by_channel = layer.axis in (-1, len(layer.output.shape) - 1)
    places = [{0: read} if by_channel else {}] * len(layer.weights)
    scores = {BATCH_NORM_SCALE: np.abs(layer.gamma)} if by_channel and layer.scale else {}
    return Rule(read, weights=remove_channels(*places), scores=scores)


def flatten(layer: L.Flatten, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Flattening: every position has all channels, one after the other."""
    (read,) = inputs
    return Rule(np.tile(read, layer.output.shape[-1] // len(read)))


def reshape(layer: L.Reshape, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Reshaping that leaves the channels as they are, or flattens; else a barrier."""
    (read,), shape = inputs, layer.output.shape
    if shape[-1] % len(read) or len(shape) > 2 and shape[-1] != len(read):
        return barrier(layer, inputs, channels)
    output = np.tile(read, shape[-1] // len(read))

    def config(kept: Kept) -> dict:
        return {"target_shape": (*layer.target_shape[:-1], int(kept(output).sum()))}

    return Rule(output, config)


def borders(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Padding or cropping; with "channels_first" of the last axis, that of the channels, too."""
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
        # Zeros, which go with what they are added to.
        ends = channels.fresh(before), channels.fresh(after)
        output = np.concatenate([ends[0], read, ends[1]])

    def config(kept: Kept) -> dict:
        changed = [*sizes[:-1], [int(kept(end).sum()) for end in ends]]
        return {key: tuple(map(tuple, changed)) if len(changed) > 1 else tuple(changed[0])}

    return Rule(output, config)


def merge(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Sum, product and the like: channels at the same place belong together."""
    widest = max(inputs, key=len)
    channels.tie(*[labels for labels in inputs if len(labels) == len(widest)])
    for labels in inputs:
        if len(labels) < len(widest):  # one channel for all
            channels.fix(labels)
    return Rule(widest)


def concatenate(layer: L.Concatenate, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Concatenation, of channels or of positions."""
    if layer.axis in (-1, len(layer.output.shape) - 1):
        return Rule(np.concatenate(inputs))
    return merge(layer, inputs, channels)
