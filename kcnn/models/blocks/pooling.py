"""Pooling: the largest, average or smallest value or the L2 norm of a window or of a whole map."""

from typing import Any

import keras

from kcnn.errors import unknown
from kcnn.layers import GlobalL2Pooling, WindowPooling
from kcnn.models.blocks.checks import check_rank

POOLINGS = ("max", "average", "min", "l2")

_WINDOWS = {
    "max": {
        1: keras.layers.MaxPooling1D,
        2: keras.layers.MaxPooling2D,
        3: keras.layers.MaxPooling3D,
    },
    "average": {
        1: keras.layers.AveragePooling1D,
        2: keras.layers.AveragePooling2D,
        3: keras.layers.AveragePooling3D,
    },
}
_WHOLE_MAPS = {
    "max": {
        1: keras.layers.GlobalMaxPooling1D,
        2: keras.layers.GlobalMaxPooling2D,
        3: keras.layers.GlobalMaxPooling3D,
    },
    "average": {
        1: keras.layers.GlobalAveragePooling1D,
        2: keras.layers.GlobalAveragePooling2D,
        3: keras.layers.GlobalAveragePooling3D,
    },
}


def pool(
    kind: str, size: int = 2, *, name: str, rank: int = 2, **options: Any
) -> list[keras.layers.Layer]:
    """Return a pooling over windows of `size` along each axis, with strides equal to `size`.

    With smaller strides the windows overlap, as in AlexNet: `pool("max", 3, strides=2, ...)`.

    Args:
        kind: one of `POOLINGS`; "l2" is the square root of the sum of squares.
        size: pixels along every axis.
        name: of the pooling layer.
        rank: number of pooled axes: 1 for series, 2 for images, 3 for voxels.
        **options: `strides`, and `padding`: "valid", "same" or "ceil", with which a last window
            counts although it reaches over the end, as in Caffe and GoogLeNet.

    Raises:
        ValueError: `kind`, `rank` or `padding` is unknown.

    >>> import numpy as np
    >>> x = np.arange(4.0, dtype="float32").reshape(1, 2, 2, 1)
    >>> for layer in pool("min", name="smallest"):
    ...     x = layer(x)
    >>> float(x[0, 0, 0, 0])
    0.0
    """
    check_rank(rank)
    if kind not in POOLINGS:
        raise unknown("pooling", kind, POOLINGS)
    if kind == "min":
        return _of_negative(pool("max", size, name=name, rank=rank, **options), name)
    if kind == "l2" or options.get("padding") == "ceil":
        return [WindowPooling(kind, size, name=name, **options)]
    return [_WINDOWS[kind][rank](size, name=name, **options)]


def global_pool(kind: str, *, name: str, rank: int = 2) -> list[keras.layers.Layer]:
    """Return a pooling over whole maps: one value per channel.

    Args:
        kind: one of `POOLINGS`.
        name: of the pooling layer.
        rank: number of pooled axes: 1 for series, 2 for images, 3 for voxels.

    Raises:
        ValueError: `kind` or `rank` is unknown.

    >>> [layer.name for layer in global_pool("average", name="pool")]
    ['pool']
    """
    check_rank(rank)
    if kind not in POOLINGS:
        raise unknown("pooling", kind, POOLINGS)
    if kind == "min":
        return _of_negative(global_pool("max", name=name, rank=rank), name)
    return [GlobalL2Pooling(name=name) if kind == "l2" else _WHOLE_MAPS[kind][rank](name=name)]


def _of_negative(layers: list[keras.layers.Layer], name: str) -> list[keras.layers.Layer]:
    """Return min pooling, which Keras lacks: the negative of the largest negative value."""
    return [
        keras.layers.Rescaling(-1.0, name=f"{name}_negated"),
        *layers,
        keras.layers.Rescaling(-1.0, name=f"{name}_restored"),
    ]
