"""Keras's exact GELU with its value and its gradient compiled, each one pass over the map."""

import math
import os
from functools import cache
from typing import Any

import keras


def gelu(x: Any) -> Any:
    """Return `x * Phi(x)`, where Phi is the cumulative distribution of a standard normal.

    It is what `keras.activations.gelu` returns, and is saved under that name. TensorFlow computes
    it and its gradient as chains of operations, each of which reads and writes the whole map.
    Compiled by XLA they are one pass each and take a third of the time in a training of
    speed_net on two cores of a Zen 3 (`benchmarks/RESULTS.md`). Numbers of 16 bits are rounded
    once, at the end. XLA compiles for each size of the maps and of the batch, so Keras's own
    operations compute maps of unknown size.

    Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)" (arXiv:1606.08415).

    Args:
        x: float tensor of any shape, or what else `keras.activations.gelu` takes.

    Returns:
        A tensor of the same shape and dtype.

    >>> import tensorflow as tf
    >>> [round(float(each), 4) for each in gelu(tf.constant([-1.0, 0.0, 1.0]))]
    [-0.1587, 0.0, 0.8413]
    """
    import tensorflow as tf

    if not isinstance(x, tf.Tensor) or x.shape.rank is None or None in x.shape[1:]:
        return keras.activations.gelu(x)
    value, slope = _compiled(x.dtype.name)

    @tf.custom_gradient
    def function(inputs: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            return _shaped(slope(inputs, upstream), inputs)

        return _shaped(value(inputs), inputs), gradient

    return function(x)


@cache
def can_compile() -> bool:
    """Return whether this TensorFlow has a compiler for the processor, and may start it.

    XLA ends the process when `XLA_FLAGS` has a flag it does not know, and those that are set are
    often meant for a newer one, such as JAX's.
    """
    import tensorflow as tf

    if os.environ.get("XLA_FLAGS"):
        return False
    try:
        gelu(tf.zeros([1]))
    except (tf.errors.OpError, ValueError):
        return False
    return True


@cache
def _compiled(dtype: str) -> tuple[Any, Any]:
    """Return the functions of the value and of the gradient, for tensors of any shape."""
    import tensorflow as tf

    any_shape: Any = None
    spec = tf.TensorSpec(any_shape, dtype)
    exact = dtype if dtype == "float64" else "float32"
    to_phi, density = -math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)

    @tf.function(jit_compile=True, input_signature=[spec])
    def value(inputs: Any) -> Any:
        x = tf.cast(inputs, exact)
        return tf.cast(0.5 * x * tf.math.erfc(to_phi * x), dtype)

    @tf.function(jit_compile=True, input_signature=[spec, spec])
    def slope(inputs: Any, upstream: Any) -> Any:
        x = tf.cast(inputs, exact)
        phi = 0.5 * tf.math.erfc(to_phi * x)
        return tf.cast(tf.cast(upstream, exact) * (phi + density * x * tf.exp(-0.5 * x * x)), dtype)

    return value, slope


def _shaped(result: Any, like: Any) -> Any:
    result.set_shape(like.shape)
    return result
