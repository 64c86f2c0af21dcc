"""How many pixels of the image one unit of a feature map can see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from kcnn.arithmetic.layer_calls import Call, Tensor

# Layers that change the size of a map, but not what its units see.
_BORDERS = (
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
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
    global pooling see everything and are left out.

    Args:
        calls: from `kcnn.arithmetic.layer_calls.calls`.

    Returns:
        None if no layer has a window, or one enlarges its map.
    """
    fields: dict[Tensor, _Field] = {}
    seen = []
    for call in calls:
        if isinstance(call.layer, _ENLARGING):
            return None
        if field := _field(call, fields):
            fields |= dict.fromkeys(call.outputs, field)
            seen += [field.sizes] if _window(call.layer, len(field.sizes)) else []
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
    if window := _window(call.layer, len(sizes)):
        axes = zip(sizes, steps, *window, strict=True)
        return _Field(*zip(*(_through(*axis) for axis in axes), strict=True))
    pixels = slice(1, 1 + len(sizes))
    is_map = len(shape) > pixels.stop and shape[pixels] == maps[0].shape[pixels]
    return _Field(sizes, steps) if is_map or isinstance(call.layer, _BORDERS) else None


def _through(size: int, step: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    return size + dilation * (kernel - 1) * step, step * stride


def _largest(fields: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(max(axis) for axis in zip(*fields, strict=True))


def _window(layer: Any, axes: int) -> list[tuple[int, ...]] | None:
    """Return kernel sizes, strides and dilations of a convolution or pooling, one per axis."""
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if kernel is None:
        return None
    options = (kernel, getattr(layer, "strides", 1), getattr(layer, "dilation_rate", 1))
    return [(value,) * axes if isinstance(value, int) else value for value in options]
