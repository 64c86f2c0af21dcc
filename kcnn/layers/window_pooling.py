"""Pooling that Keras lacks: L2 pooling, and windows that reach over the end of a map."""

from typing import Any

import keras
import numpy as np

from kcnn.checks import check_count
from kcnn.errors import unknown

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops

KINDS = ("max", "average", "l2")
PADDINGS = ("valid", "same", "ceil")

# Below it, the slope of the square root is taken as zero: at zero it would be infinite.
_SMALLEST = 1e-12

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="kcnn")
class WindowPooling(keras.layers.Layer):
    """Pool windows of maps by their largest value, their average or their L2 norm.

    Keras's own pooling does the same for "max" and "average" with "valid" and "same". "l2" is the
    square root of the sum of squares. With "ceil" a last window counts although it reaches over the
    end of the map, as in Caffe and in PyTorch's `ceil_mode`: the size is rounded up. What lies
    outside the map does not count, also for the average.

    Input and output: floats `(batch, ..., channels)`: series, images or voxels.

    Args:
        kind: "max", "average" or "l2".
        pool_size: pixels of a window along every axis.
        strides: pixels from one window to the next; None for `pool_size`.
        padding: "valid", "same" (both as in Keras) or "ceil".
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: an argument is unknown or out of its range, or the maps have no fixed size.

    >>> layer = WindowPooling("max", 2, padding="ceil")
    >>> layer(ops.reshape(ops.arange(5.0), (1, 5, 1)))[0, :, 0].numpy()
    array([1., 3., 4.], dtype=float32)
    """

    def __init__(
        self,
        kind: str = "max",
        pool_size: int = 2,
        strides: int | None = None,
        padding: str = "valid",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if kind not in KINDS:
            raise unknown("pooling", kind, KINDS)
        if padding not in PADDINGS:
            raise unknown("padding", padding, PADDINGS)
        check_count("pool_size", pool_size)
        check_count("strides", pool_size if strides is None else strides)
        self.kind, self.padding = kind, padding
        self.pool_size = int(pool_size)
        self.strides = self.pool_size if strides is None else int(strides)

    def build(self, input_shape: Shape) -> None:
        """Find how far windows reach over both ends, and how much of each lies inside."""
        sizes = input_shape[1:-1]
        if None in sizes and self.padding != "valid":
            raise ValueError(
                f"padding={self.padding!r} needs maps of a fixed size: give the model's Input its "
                f"full shape. Received: {tuple(input_shape)}"
            )
        self._ends = [(0, 0) if size is None else self._over(size) for size in sizes]
        self._factor = None
        if any(map(any, self._ends)):
            self._factor = np.ones((1, *[1] * len(sizes), 1), np.float32)
            for axis, (size, ends) in enumerate(zip(sizes, self._ends, strict=True), 1):
                shape = [1] * self._factor.ndim
                shape[axis] = -1
                if size is not None:
                    share = self.pool_size / self._inside(size, ends)
                    self._factor = self._factor * share.reshape(shape)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Pool `inputs` `(batch, ..., channels)`."""
        if self.kind == "max":
            return self._pooled(ops.max_pool, self._extended(inputs))
        if self.kind == "average":
            mean = self._mean(inputs)
            if self._factor is None:
                return mean
            return mean * ops.cast(self._factor, self.compute_dtype)  # LiteRT divides no integers
        # Under mixed precision too at least float32: float16 would lose the smallest number.
        x = ops.cast(inputs, keras.backend.result_type(self.compute_dtype, "float32"))
        energy = self._mean(x * x) * self.pool_size ** len(self._ends)
        return ops.cast(ops.sqrt(ops.maximum(energy, _SMALLEST)), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with as many pixels as there are windows."""
        inner = (None if size is None else self._windows(size) for size in input_shape[1:-1])
        return (input_shape[0], *inner, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        names = ("kind", "pool_size", "strides", "padding")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def _windows(self, size: int) -> int:
        if self.padding == "same":
            return -(-size // self.strides)
        beyond = max(size - self.pool_size, 0)
        if self.padding == "valid":
            return beyond // self.strides + 1
        count = -(-beyond // self.strides) + 1
        return count - ((count - 1) * self.strides >= size)  # the last one starts inside

    def _over(self, size: int) -> tuple[int, int]:
        """Return how many pixels are missing before and after an axis."""
        if self.padding == "valid":
            return 0, 0
        missing = max((self._windows(size) - 1) * self.strides + self.pool_size - size, 0)
        before = missing // 2 if self.padding == "same" else 0
        return before, missing - before

    def _inside(self, size: int, ends: tuple[int, int]) -> np.ndarray:
        """Return how many pixels of each window along an axis lie inside the map."""
        start = np.arange(self._windows(size)) * self.strides - ends[0]
        return (np.minimum(start + self.pool_size, size) - np.maximum(start, 0)).astype(np.float32)

    def _mean(self, x: Any) -> Any:
        """Return the average of each window with zeros outside the map."""
        if any(map(any, self._ends)):
            x = ops.pad(x, ((0, 0), *self._ends, (0, 0)))
        return self._pooled(ops.average_pool, x)

    def _extended(self, x: Any) -> Any:
        """Repeat the outermost pixels, which are in every window that reaches over them."""
        for axis, (before, after) in enumerate(self._ends, 1):
            if before or after:
                first, last = ops.take(x, [0], axis=axis), ops.take(x, [-1], axis=axis)
                x = ops.concatenate([first] * before + [x] + [last] * after, axis=axis)
        return x

    def _pooled(self, pool: Any, x: Any) -> Any:
        return pool(x, self.pool_size, self.strides, "valid", data_format="channels_last")


@keras.saving.register_keras_serializable(package="kcnn")
class GlobalL2Pooling(keras.layers.Layer):
    """Return the L2 norm of each channel's whole map: floats (batch, channels).

    Input: floats `(batch, ..., channels)`.

    >>> GlobalL2Pooling()(ops.reshape(ops.array([3.0, 4.0]), (1, 2, 1))).numpy()
    array([[5.]], dtype=float32)
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Pool `inputs`."""
        axes = tuple(range(1, len(inputs.shape) - 1))
        return ops.sqrt(ops.maximum(ops.sum(inputs * inputs, axis=axes), _SMALLEST))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (batch, channels)."""
        return input_shape[0], input_shape[-1]
