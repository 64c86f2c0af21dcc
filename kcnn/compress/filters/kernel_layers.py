"""Rules of layers that make channels: convolutions and dense layers."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from kcnn.compress.filters.channels import Channels, Kept, Labels
from kcnn.compress.filters.rule import L1, Rule, Weights, is_elementwise, remove_channels
from kcnn.layers import PartiallyConnectedConv2D


def convolution(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a convolution, also a grouped or depthwise one.

    Each filter makes one channel from all that it reads.
    """
    (read,) = inputs
    groups = layer.groups
    if groups > 1 and groups == len(read):
        return _depthwise_by_groups(layer, read)
    made = _made(layer, layer.filters, channels)
    # All groups have the same size: channels at the same position of each are removed together.
    channels.tie(*np.split(read, groups))
    channels.tie(*np.split(made, groups))
    kernel = {-2: read[: len(read) // groups], -1: made}
    shrink = remove_channels(*_biased(layer, kernel, made))
    return Rule(made, _count(filters=made), shrink, _norms(layer.kernel))


def _depthwise_by_groups(layer: keras.layers.Layer, read: Labels) -> Rule:
    made = np.repeat(read, layer.filters // len(read))
    shrink = remove_channels(*_biased(layer, {-1: made}, made))
    return Rule(made, _count(filters=made, groups=read), shrink)


def transposed(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a transposed convolution, whose kernel has filters before inputs."""
    (read,) = inputs
    made = _made(layer, layer.filters, channels)
    shrink = remove_channels(*_biased(layer, {-2: made, -1: read}, made))
    norms = _norms(np.swapaxes(layer.kernel, -1, -2))
    return Rule(made, _count(filters=made), shrink, norms)


def separable(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a separable convolution: one filter a channel, then a 1x1 convolution."""
    (read,) = inputs
    made = _made(layer, layer.filters, channels)
    between = np.repeat(read, layer.depth_multiplier)
    shrink = remove_channels({-2: read}, *_biased(layer, {-2: between, -1: made}, made))
    return Rule(made, _count(filters=made), shrink, _norms(layer.pointwise_kernel))


def depthwise(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a depthwise convolution: channels go with those they are made from."""
    (read,) = inputs
    if not is_elementwise(layer.activation):
        channels.fix(read)
    made = np.repeat(read, layer.depth_multiplier)
    return Rule(made, weights=remove_channels(*_biased(layer, {-2: read}, made)))


def dense(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of a dense layer, on the last axis of maps or on flattened ones."""
    (read,) = inputs
    made = _made(layer, layer.units, channels)
    shrink = remove_channels(*_biased(layer, {-2: read, -1: made}, made))
    return Rule(made, _count(units=made), shrink, _norms(layer.kernel))


def partially_connected(
    layer: PartiallyConnectedConv2D, inputs: Sequence[Labels], channels: Channels
) -> Rule:
    """Return the rule of a convolution by a table of links, which go with either of their ends."""
    (read,) = inputs
    made = channels.fresh(len(layer.connections))

    def links(kept: Kept) -> list[list[int]]:
        """Return, for each map that is kept, the numbers of its links that are left."""
        first = np.cumsum([0, *map(len, layer.connections)])
        left = [
            [start + i for i, source in enumerate(seen) if kept(read)[source]]
            for start, seen in zip(first, layer.connections, strict=False)
        ]
        return [numbers for numbers, stays in zip(left, kept(made), strict=True) if stays]

    def config(kept: Kept) -> dict:
        places, sources = np.cumsum(kept(read)) - 1, np.concatenate(layer.connections)
        # A map without links is a constant; the layer needs at least one, with weight zero.
        return {
            "connections": [
                [int(places[sources[number]]) for number in numbers] or [0]
                for numbers in links(kept)
            ]
        }

    def shrink(kept: Kept, weights: Weights) -> Weights:
        kernel, bias = weights
        none = np.zeros_like(kernel[..., :1])
        parts = [kernel[..., numbers] if numbers else none for numbers in links(kept)]
        return [np.concatenate(parts, axis=-1), bias[kept(made)]]

    sizes = np.cumsum([0, *map(len, layer.connections)])[:-1]
    norms = np.add.reduceat(_norms(layer.kernel)[L1], sizes)
    return Rule(made, config, shrink, {L1: norms})


def _norms(kernel: keras.Variable | np.ndarray) -> dict[str, np.ndarray]:
    magnitudes = np.abs(np.asarray(kernel))
    return {L1: magnitudes.sum(axis=tuple(range(magnitudes.ndim - 1)))}


def _made(layer: keras.layers.Layer, count: int, channels: Channels) -> Labels:
    made = channels.fresh(count)
    if not is_elementwise(layer.activation):
        channels.fix(made)
    return made


def _biased(
    layer: keras.layers.Layer, kernel: dict[int, Labels], made: Labels
) -> list[dict[int, Labels]]:
    return [kernel, {0: made}] if layer.use_bias else [kernel]


def _count(**options: Labels) -> Callable[[Kept], dict]:
    return lambda kept: {key: int(kept(labels).sum()) for key, labels in options.items()}
