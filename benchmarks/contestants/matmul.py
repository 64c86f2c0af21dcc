"""The limit: how many operations a second this machine reaches in a matrix product."""

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
