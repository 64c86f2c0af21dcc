"""A 3x3 convolution with both gradients, by TensorFlow or in other ways."""

from typing import Any

from benchmarks.race import Spec
from benchmarks.turns import Turns

TENSORFLOW, EXCHANGED = "TensorFlow", "images and channels exchanged"
PRODUCT, WHOLE_MAP = "matrix product", "one dense layer"


def convolve(spec: Spec, turns: Turns) -> None:
    """Convolve square maps in the way that the option `way` names, or the contestant.

    The unit is the FLOP. Multiplications by the zeros of the padding count too, as is usual.
    """
    import tensorflow as tf

    from kcnn.layers.small_maps import Geometry, exchanged, whole_map

    size, channels = int(spec.options["size"]), int(spec.options["channels"])
    geometry = Geometry((size, size), (3, 3), (1, 1), same=True)
    dtype = tf.as_dtype(spec.precision)
    shapes = [spec.batch, size, size, channels], [3, 3, channels, channels]
    images, kernel = (
        tf.cast(tf.random.stateless_normal(shape, (spec.seed, index)), dtype)
        for index, shape in enumerate(shapes)
    )

    def product() -> tf.Tensor:
        """Multiply a matrix with one row for each position of the kernel (im2col)."""
        padded = tf.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
        taps = [padded[:, y : y + size, x : x + size] for y in range(3) for x in range(3)]
        flat = tf.reshape(tf.concat(taps, -1), [-1, 9 * channels])
        return tf.reshape(flat @ tf.reshape(kernel, [9 * channels, channels]), images.shape)

    ways = {
        TENSORFLOW: lambda: tf.nn.conv2d(images, kernel, 1, "SAME"),
        EXCHANGED: lambda: exchanged(images, kernel, geometry),
        PRODUCT: product,
        WHOLE_MAP: lambda: whole_map(images, kernel, geometry),
    }

    way = ways[str(spec.options.get("way", spec.contestant))]

    @tf.function
    def step() -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = way()
        # `images` has the shape and the type of the outputs: it stands in for their gradient.
        return [outputs, *tape.gradient(outputs, [images, kernel], [images])]

    flops = 3 * 2 * spec.batch * size**2 * 9 * channels**2
    while True:
        step()
        turns.step(flops)
