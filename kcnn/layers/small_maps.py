"""Convolutions of small maps as matrix products: where TensorFlow's own kernels are slow on a CPU.

The deep half of a VGG or of a wide ResNet convolves maps of few pixels with hundreds of channels.
oneDNN's kernels, which TensorFlow calls, fall to a third of the processor's speed there, while
matrix products stay close to it. What is chosen for which shape was measured, and so was what is
not: `benchmarks/RESULTS.md`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Pairs of an input and an output pixel, up to which one product does the whole map, and channels
# of input and output, from which it pays.
_WHOLE_MAP_PAIRS, _WHOLE_MAP_CHANNELS = 16, 128
# Pixels and channels of which the kernel's gradient alone is a product, on the matrix units that
# bfloat16 has (AMX): measured there at 1.4 times TensorFlow's speed for 8x8 pixels, 5 for 4x4.
_GRADIENT_PIXELS, _GRADIENT_CHANNELS = 64, 256


@dataclass(frozen=True)
class Geometry:
    """Where the taps of a convolution without dilation and groups lie, along both axes."""

    size: tuple[int, int]
    """Height and width of the input."""
    kernel: tuple[int, int]
    strides: tuple[int, int]
    same: bool
    """Whether the border is padded with zeros as TensorFlow's "SAME" does."""

    @property
    def output(self) -> tuple[int, int]:
        """Height and width of the output."""
        if self.same:
            return tuple(
                -(-size // stride) for size, stride in zip(self.size, self.strides, strict=True)
            )
        return tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(self.size, self.kernel, self.strides, strict=True)
        )

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and after the rows, and before and after the columns."""
        if not self.same:
            return (0, 0), (0, 0)
        axes = zip(self.size, self.output, self.kernel, self.strides, strict=True)
        totals = [
            max((output - 1) * stride + kernel - size, 0) for size, output, kernel, stride in axes
        ]
        return tuple((total // 2, total - total // 2) for total in totals)


def convolve(images: Any, kernel: Any, geometry: Geometry) -> Any | None:
    """Return the convolution in the way that trains fastest, None where that is TensorFlow's own.

    Exact to rounding, with exact gradients of both arguments.

    Args:
        images: float tensor [B, H, W, C]; the number of images may be unknown.
        kernel: float tensor [kernel height, kernel width, C, D].
        geometry: of this convolution.

    >>> import tensorflow as tf
    >>> geometry = Geometry((2, 2), (3, 3), (1, 1), same=True)
    >>> images, kernel = tf.ones([1, 2, 2, 128]), tf.ones([3, 3, 128, 128])
    >>> float(convolve(images, kernel, geometry)[0, 0, 0, 0])
    512.0
    """
    pixels = int(np.prod(geometry.output))
    channels = min(kernel.shape[2:])
    pairs = pixels * int(np.prod(geometry.size))
    if channels >= _WHOLE_MAP_CHANNELS and pairs <= _WHOLE_MAP_PAIRS:
        return whole_map(images, kernel, geometry)
    in_bfloat16 = images.dtype.name == "bfloat16"
    if in_bfloat16 and channels >= _GRADIENT_CHANNELS and pixels <= _GRADIENT_PIXELS:
        return _stock_forward(images, kernel, geometry)
    return None


def whole_map(images: Any, kernel: Any, geometry: Geometry) -> Any:
    """Make a dense layer of it: every pixel of so small a map meets almost every other one.

    Products with the border's zeros, more than half of all on a map of 2x2 pixels, are left out.
    """
    import tensorflow as tf

    taps = _taps(geometry)
    inputs, outputs = taps.shape
    channels, filters = kernel.shape[2:]
    # The last tap is one of zeros, for the pixels that do not meet.
    padded = tf.pad(tf.reshape(kernel, [-1, channels, filters]), [[0, 1], [0, 0], [0, 0]])
    matrix = tf.transpose(tf.gather(padded, taps), [0, 2, 1, 3])
    matrix = tf.reshape(matrix, [inputs * channels, outputs * filters])
    product = tf.reshape(images, [-1, inputs * channels]) @ matrix
    return tf.reshape(product, [-1, *geometry.output, filters])


def _taps(geometry: Geometry) -> np.ndarray:
    """Return which tap of the kernel joins each input pixel to each output pixel."""
    none = int(np.prod(geometry.kernel))
    taps = np.full((*geometry.size, *geometry.output), none)
    (top, _), (left, _) = geometry.padding
    for tap in range(none):
        down, right = divmod(tap, geometry.kernel[1])
        for row, column in np.ndindex(*geometry.output):
            y = row * geometry.strides[0] + down - top
            x = column * geometry.strides[1] + right - left
            if 0 <= y < geometry.size[0] and 0 <= x < geometry.size[1]:
                taps[y, x, row, column] = tap
    return taps.reshape(np.prod(geometry.size), -1)


def _stock_forward(images: Any, kernel: Any, geometry: Geometry) -> Any:
    """Convolve by TensorFlow, and take the kernel's gradient as a matrix product."""
    import tensorflow as tf

    strides = [1, *geometry.strides, 1]
    padding = "SAME" if geometry.same else "VALID"

    @tf.custom_gradient
    def convolution(images: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            of_images = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images),
                filter=kernel,
                out_backprop=upstream,
                strides=strides,
                padding=padding,
            )
            flat = columns(images, geometry)
            flat = tf.reshape(flat, [-1, flat.shape[-1]])
            flat_upstream = tf.reshape(upstream, [-1, kernel.shape[-1]])
            of_kernel = tf.matmul(flat, flat_upstream, transpose_a=True)
            return of_images, tf.reshape(of_kernel, kernel.shape)

        return tf.nn.conv2d(images, kernel, strides, padding), gradient

    return convolution(images, kernel)


def columns(images: Any, geometry: Geometry) -> Any:
    """Return [B, output height, output width, taps * C]: all that each output pixel is made of."""
    import tensorflow as tf

    if geometry.kernel == (1, 1) and geometry.strides == (1, 1):
        return images
    padded = tf.pad(images, [(0, 0), *geometry.padding, (0, 0)])
    (height, width), (down, right) = geometry.output, geometry.strides
    return tf.concat(
        [
            padded[
                :,
                row : row + (height - 1) * down + 1 : down,
                column : column + (width - 1) * right + 1 : right,
            ]
            for row, column in np.ndindex(*geometry.kernel)
        ],
        axis=-1,
    )
