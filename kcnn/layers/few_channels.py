"""Keras's layers that apply one number per channel to whole maps, made faster on TensorFlow.

On a CPU TensorFlow broadcasts over such a map in steps of its few channels (three, for images).
The layers here do the same arithmetic in an order that suits vector units; the results are equal
for finite numbers. `benchmarks/RESULTS.md` has the speed. Like `BatchNormalization`, these layers
are saved as Keras's own.
"""

from typing import Any, cast

import keras


class Normalization(keras.layers.Normalization):
    """Keras's normalization of images, computed row by row: bit for bit the same numbers.

    >>> layer = Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 4.0, 4.0])
    >>> layer(keras.ops.ones((1, 2, 2, 3)))[0, 0, 0].numpy().tolist()
    [0.0, -0.5, -1.0]
    """

    __class__ = property(lambda self: keras.layers.Normalization)

    def call(self, inputs: Any) -> Any:
        """Normalize `inputs` of any rank and return the same shape."""
        if not self._is_image(inputs):
            return super().call(inputs)
        import tensorflow as tf

        width, channels = inputs.shape[2:]
        pixels = tf.reshape(tf.cast(inputs, self.compute_dtype), [-1, width * channels])

        def row(values: Any) -> Any:
            return tf.tile(tf.reshape(tf.cast(values, pixels.dtype), [-1]), [width])

        deviation: Any = keras.ops.maximum(keras.ops.sqrt(self.variance), keras.config.epsilon())
        return tf.reshape((pixels - row(self.mean)) / row(deviation), tf.shape(inputs))

    def _is_image(self, inputs: Any) -> bool:
        """Return whether `inputs` are images, with one known mean and variance per channel."""
        return (
            not self.invert
            and len(inputs.shape) == 4
            and None not in inputs.shape[2:]
            and self.mean is not None
            and tuple(cast(Any, self.mean).shape) == (1, 1, 1, inputs.shape[-1])
        )


class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras's dropout of whole maps, with the same random numbers, as one product.

    >>> layer = SpatialDropout2D(0.5, seed=0)
    >>> dropped = layer(keras.ops.ones((2, 2, 2, 1)), training=True)
    >>> sorted(set(dropped.numpy().ravel().tolist())) in ([0.0], [2.0], [0.0, 2.0])
    True
    """

    __class__ = property(lambda self: keras.layers.SpatialDropout2D)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Drop maps of `inputs` (batch, height, width, channels)."""
        if not training or not 0 < self.rate < 1:
            return super().call(inputs, training=bool(training))
        whole = keras.ops.ones(self._get_noise_shape(inputs), inputs.dtype)
        return inputs * keras.random.dropout(whole, self.rate, seed=self.seed_generator)
