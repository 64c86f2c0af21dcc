"""How many pixels of the image one unit of a feature map can see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from kcnn.arithmetic.layer_calls import Call, Tensor
from kcnn.layers import ReflectionPadding

# Layers that change the size of a map, but not what its units see.
_BORDERS = (
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.CenterCrop,
    keras.layers.RandomCrop,
    ReflectionPadding,
)
_ADAPTIVE = (
    keras.layers.AdaptiveAveragePooling1D,
    keras.layers.AdaptiveAveragePooling2D,
    keras.layers.AdaptiveAveragePooling3D,
    keras.layers.AdaptiveMaxPooling1D,
    keras.layers.AdaptiveMaxPooling2D,
    keras.layers.AdaptiveMaxPooling3D,
)
_ENLARGING = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.UpSampling1D,
    keras.layers.UpSampling2D,
    keras.layers.UpSampling3D,
)


@dataclass(frozen=True)
class _Field:
    """What the units of one feature map see of the image, along each axis.

    Attributes:
        sizes: pixels that one unit sees.
        steps: pixels from one unit to the next.
    """

    sizes: tuple[int, ...]
    steps: tuple[int, ...]


def receptive_field(calls: Iterable[Call]) -> tuple[int, ...] | None:
    """Return the pixels along each axis that one unit of the last spatial map can see.

    A window of k pixels, d apart, over a map whose units are j pixels apart adds d(k - 1)j, and a
    stride multiplies j. Where paths meet, the larger field counts. Layers after a flattening or a
    global pooling see everything and are left out. An adaptive pooling into parts of unequal size
    counts with the largest part and the longest step, which gives an upper bound.

    Args:
        calls: from `kcnn.arithmetic.layer_calls.calls`.

    Returns:
        None if no layer has a window, or one enlarges its map.

    Raises:
        ValueError: a layer changes the size of its map in a way that is not known.
    """
    fields: dict[Tensor, _Field] = {}
    seen = []
    for call in calls:
        if isinstance(call.layer, _ENLARGING):
            return None
        if field := _field(call, fields):
            fields |= dict.fromkeys(call.outputs, field)
            seen += [field.sizes] if _window(call, len(field.sizes)) else []
    return _largest(seen) if seen else None


def _field(call: Call, fields: dict[Tensor, _Field]) -> _Field | None:
    """Return what the units of a call's output see, None if that is no map."""
    shape = call.outputs[0].shape
    if not call.inputs:
        axes = len(shape) - 2
        return _Field((1,) * axes, (1,) * axes) if axes > 0 else None
    maps = [tensor for tensor in call.inputs if tensor in fields]
    if not maps:
        return None
    sizes = _largest(fields[tensor].sizes for tensor in maps)
    steps = _largest(fields[tensor].steps for tensor in maps)
    if window := _window(call, len(sizes)):
        axes = zip(sizes, steps, *window, strict=True)
        return _Field(*zip(*(_through(*axis) for axis in axes), strict=True))
    pixels = slice(1, 1 + len(sizes))
    is_map = len(shape) > pixels.stop and shape[pixels] == maps[0].shape[pixels]
    if is_map or isinstance(call.layer, _BORDERS):
        return _Field(sizes, steps)
    if len(shape) == len(maps[0].shape) and set(shape[pixels]) != {1}:
        raise ValueError(
            f"The receptive field behind layer {call.name!r} ({call.layer.__class__.__name__}) is "
            f"not known: it makes maps of {shape} from {maps[0].shape} in its own way."
        )
    return None


def _through(size: int, step: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    return size + dilation * (kernel - 1) * step, step * stride


def _largest(fields: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(max(axis) for axis in zip(*fields, strict=True))


def _window(call: Call, axes: int) -> list[tuple[int, ...]] | None:
    """Return kernel sizes, strides and dilations of a convolution or pooling, one per axis."""
    layer: Any = call.layer
    if isinstance(layer, _ADAPTIVE):
        return _adaptive_window(call, axes)
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if kernel is None:
        return None
    options = (kernel, getattr(layer, "strides", 1), getattr(layer, "dilation_rate", 1))
    return [(value,) * axes if isinstance(value, int) else value for value in options]


def _adaptive_window(call: Call, axes: int) -> list[tuple[int, ...]]:
    """Return the largest window and the longest step of an adaptive pooling.

    Part i of n covers the pixels from floor(i * size / n) up to ceil((i + 1) * size / n).
    """
    pixels = slice(1, 1 + axes)
    sizes, parts = call.inputs[0].shape[pixels], call.outputs[0].shape[pixels]
    kernels, steps = [], []
    for size, count in zip(sizes, parts, strict=True):
        if size is None or count is None:
            raise ValueError(
                f"Layer {call.name!r} works on maps of unknown size {call.inputs[0].shape}: give "
                "the model's Input its full shape."
            )
        ends = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        kernels.append(max(end - start for start, end in ends))
        steps.append(-(-size // count))
    return [tuple(kernels), tuple(steps), (1,) * axes]
