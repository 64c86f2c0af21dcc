"""Two limits: operations a second of a matrix product, and bytes a second to and from memory."""

from benchmarks.race import Spec
from benchmarks.turns import Turns


def multiply(spec: Spec, turns: Turns) -> None:
    """Multiply two large square matrices; the unit is the FLOP."""
    import tensorflow as tf

    size = int(spec.options["size"])
    shape, dtype = [size, size], tf.as_dtype(spec.precision)
    left = tf.cast(tf.random.stateless_normal(shape, (spec.seed, 0)), dtype)
    right = tf.cast(tf.random.stateless_normal(shape, (spec.seed, 1)), dtype)

    @tf.function
    def product() -> tf.Tensor:
        # Captured tensors: TensorFlow cannot fold them to a constant result.
        return tf.matmul(left, right)

    while True:
        product()
        turns.step(2 * size**3)


def add(spec: Spec, turns: Turns) -> None:
    """Add two vectors that no cache holds, as batch norms and additions do; the unit is the byte.

    Two are read, one is written.
    """
    import tensorflow as tf

    size = int(spec.options["size"]) // 4
    left = tf.random.stateless_normal([size], (spec.seed, 0))
    right = tf.random.stateless_normal([size], (spec.seed, 1))

    @tf.function
    def total() -> tf.Tensor:
        return left + right

    while True:
        total()
        turns.step(3 * 4 * size)
