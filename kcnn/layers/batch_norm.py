"""Batch normalization that trains on TensorFlow's fused kernel."""

from typing import Any

import keras

# `tf.compat.v1.nn.fused_batch_norm` silently raises a smaller epsilon to this one.
_SMALLEST_FUSED_EPSILON = 1.001e-5


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalization, which trains faster on a CPU.

    A ResNet-8 trains 1.5 times as fast with it in float32 on a Xeon; `benchmarks/RESULTS.md` has
    the measurement. Use it in place of `keras.layers.BatchNormalization`: it has the same
    arguments, weights and moving averages, and the same results within float rounding. If a layer
    normalizes the last axis of images `(batch, height, width, channels)` in training on the
    TensorFlow backend, one fused kernel replaces Keras 3's chain of element-wise operations. In
    every other case (inference, masks, renorm, synchronized replicas, other ranks, axes and
    backends) Keras's own code runs.

    It is saved as `keras.layers.BatchNormalization`: a model that contains it loads in plain
    Keras, without kcnn. The loaded or cloned layer is Keras's own.

    Paper: Ioffe and Szegedy, "Batch Normalization" (2015), https://arxiv.org/abs/1502.03167.

    >>> layer = BatchNormalization(momentum=0.9, name="bn")
    >>> layer(keras.ops.ones((2, 4, 4, 3)), training=True).shape
    TensorShape([2, 4, 4, 3])
    >>> keras.saving.serialize_keras_object(layer)["module"]
    'keras.layers'
    """

    # Keras names, clones and serializes an object by its `__class__`. Answering with the parent
    # makes the file, the layer's automatic name and every clone plain Keras; `type(layer)`, which
    # Python's own method lookup uses, still finds `call` below.
    __class__ = property(lambda self: keras.layers.BatchNormalization)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize `inputs` of any rank and return the same shape and dtype."""
        if training and mask is None and self._can_fuse(inputs):
            return self._fused_training_call(inputs)
        return super().call(inputs, training=training, mask=mask)

    def _can_fuse(self, inputs: Any) -> bool:
        return (
            keras.config.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            # The kernel has no float64.
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "bfloat16", "float16")
            and self.epsilon >= _SMALLEST_FUSED_EPSILON
            and self.trainable
            and self.center
            and not self.renorm
            and not self.synchronized
        )

    def _fused_training_call(self, inputs: Any) -> Any:
        # Imported here, so that this module also works where there is no TensorFlow.
        import tensorflow as tf

        scale = self.gamma if self.scale else tf.ones_like(self.beta)
        # The kernel takes scale and offset in float32 for images of any dtype.
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.cast(scale, tf.float32),
            tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance (divided by N - 1, Bessel's correction), Keras 3
        # averages the biased one (divided by N).
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        variance *= (count - 1.0) / count
        self._update_moving_average(self.moving_mean, mean)
        self._update_moving_average(self.moving_variance, variance)
        return outputs

    def _update_moving_average(self, average: keras.Variable, batch: Any) -> None:
        old: Any = keras.ops.cast(average, batch.dtype)
        average.assign(old * self.momentum + batch * (1.0 - self.momentum))
