"""Convolutions of small maps in ways that are faster than TensorFlow's own kernels on a CPU.

The deep half of a VGG or of a ResNet convolves maps of few pixels with many channels. There
oneDNN's kernels, which TensorFlow calls, fall far behind a matrix product on the processors that
were measured, most of all for the kernel's gradient. Other ways to the same numbers stay closer to
it. The choice for each shape rests on those measurements, including rejected alternatives: see
`benchmarks/RESULTS.md`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kcnn.onednn import has_onednn
from kcnn.provenance import processor_flags

# One product computes the whole map if there are at most so many pairs of an input and an output
# pixel, and at least so many channels of both input and output.
_WHOLE_MAP_PAIRS, _WHOLE_MAP_CHANNELS = 16, 128
# Where that is faster, the kernel's gradient is computed with images and channels exchanged, up to
# so many output pixels and from so many channels. In bfloat16 on a processor with avx512_bf16 this
# is 1.2 times as fast as TensorFlow's own way for 64 channels of 8x8 pixels and twice as fast for
# 512 of 4x4. In float32 it is 1.0 to 1.4 times as fast up to 4x4 pixels on a Zen 3, which has AVX2
# and no AVX-512; there it is slower for 7x7 pixels in batches of 512. On a Xeon and a Zen 4, which
# have both, it is slower in float32.
_EXCHANGE_PIXELS = {"bfloat16": 64, "float32": 16}
_EXCHANGE_CHANNELS = 64


@dataclass(frozen=True)
class Geometry:
    """Sizes of a convolution without dilation and groups, each (vertical, horizontal).

    Attributes:
        size: of the input, in pixels.
        kernel: of the kernel, in taps.
        strides: pixels from one position of the kernel to the next.
        same: whether the border is padded with zeros as TensorFlow's "SAME" does.
    """

    size: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    same: bool

    @property
    def output(self) -> tuple[int, int]:
        """Height and width of the output."""
        return self._outputs(0), self._outputs(1)

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of the padded input that the kernel passes over."""
        return self._reach(0), self._reach(1)

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and after the rows, and before and after the columns."""
        return self._zeros(0), self._zeros(1)

    def _outputs(self, axis: int) -> int:
        size, kernel, stride = self.size[axis], self.kernel[axis], self.strides[axis]
        return -(-size // stride) if self.same else (size - kernel) // stride + 1

    def _zeros(self, axis: int) -> tuple[int, int]:
        if not self.same:
            return 0, 0
        total = max(self._reach(axis) - self.size[axis], 0)
        return total // 2, total - total // 2

    def _reach(self, axis: int) -> int:
        return (self._outputs(axis) - 1) * self.strides[axis] + self.kernel[axis]


def convolve(images: Any, kernel: Any, geometry: Geometry) -> Any | None:
    """Return the convolution, computed in the way that trains fastest.

    It is exact up to rounding, and so are the gradients of both arguments.

    Args:
        images: float tensor [B, H, W, C]; the number of images may be unknown.
        kernel: float tensor [kernel height, kernel width, C, D].
        geometry: of this convolution.

    Returns:
        A tensor [B, output height, output width, D], or None if TensorFlow's own way is fastest.

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
    is_product = geometry.kernel == (1, 1)  # TensorFlow's own way is a matrix product, too
    dtype = images.dtype.name
    is_small = channels >= _EXCHANGE_CHANNELS and pixels <= _EXCHANGE_PIXELS.get(dtype, 0)
    if is_small and not is_product and _forward_is_faster(dtype):
        return exchanged(images, kernel, geometry)
    return None


def _forward_is_faster(dtype: str) -> bool:
    """Return whether the kernel's gradient is faster as a convolution forward.

    In bfloat16 it is taken to be. In float32 it depends on oneDNN's kernels for the processor.
    """
    if dtype == "bfloat16":
        return True
    flags = processor_flags()
    return "avx2" in flags and "avx512f" not in flags and bool(has_onednn())


def whole_map(images: Any, kernel: Any, geometry: Geometry) -> Any:
    """Compute the convolution as a dense layer from all input pixels to all output pixels.

    On so small a map, almost every output depends on every input. Products with the padding's
    zeros, more than half of all on a map of 2x2 pixels, are left out.
    """
    import tensorflow as tf

    taps = _taps(geometry)
    inputs, outputs = taps.shape
    channels, filters = kernel.shape[2:]
    # The last tap is zero, for pairs of pixels that no tap joins.
    padded = tf.pad(tf.reshape(kernel, [-1, channels, filters]), [[0, 1], [0, 0], [0, 0]])
    matrix = tf.transpose(tf.gather(padded, taps), [0, 2, 1, 3])
    matrix = tf.reshape(matrix, [inputs * channels, outputs * filters])
    product = tf.reshape(images, [-1, inputs * channels]) @ matrix
    return tf.reshape(product, [-1, *geometry.output, filters])


def _taps(geometry: Geometry) -> np.ndarray:
    """Return which tap of the kernel joins each input pixel to each output pixel.

    Returns:
        Integers [input pixels, output pixels]; the number of taps where none does.
    """
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


def exchanged(images: Any, kernel: Any, geometry: Geometry) -> Any:
    """Convolve with TensorFlow, but compute the kernel's gradient as a convolution forward.

    The gradient at a tap is a sum of products over all images and output pixels. It is what a
    convolution computes whose images are the channels, whose channels are the images, and whose
    kernel is the gradient of the outputs, as large as their map. TensorFlow's forward convolution
    is faster than its gradient of a kernel.
    """
    import tensorflow as tf

    strides = [1, *geometry.strides, 1]
    padding = "SAME" if geometry.same else "VALID"
    height, width = geometry.reach

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
            by_channel = tf.pad(
                tf.transpose(images, [3, 1, 2, 0]), [(0, 0), *geometry.padding, (0, 0)]
            )
            of_kernel = tf.nn.conv2d(
                by_channel[:, :height, :width],
                tf.transpose(upstream, [1, 2, 0, 3]),
                1,
                "VALID",
                dilations=geometry.strides,
            )
            return of_images, tf.transpose(of_kernel, [1, 2, 0, 3])

        return tf.nn.conv2d(images, kernel, strides, padding), gradient

    return convolution(images, kernel)
