"""Keras's layers that spread a number a channel over whole maps, which TensorFlow does slowly.

On a CPU it goes over such a map by strides of its few channels: three, for images. What is done
here is the same arithmetic in an order that vector units like, equal for finite numbers. What it
buys is in `benchmarks/RESULTS.md`. As `BatchNormalization`, these are saved as Keras's own.
"""

from typing import Any

import keras


class Normalization(keras.layers.Normalization):
    """Keras's normalisation of images, row by row: bit for bit the same numbers.

    >>> layer = Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 4.0, 4.0])
    >>> layer(keras.ops.ones((1, 2, 2, 3)))[0, 0, 0].numpy().tolist()
    [0.0, -0.5, -1.0]
    """

    __class__ = property(lambda self: keras.layers.Normalization)

    def call(self, inputs: Any) -> Any:
        """Normalise `inputs` of any rank; the shape is kept."""
        if not self._is_image(inputs):
            return super().call(inputs)
        import tensorflow as tf

        width, channels = inputs.shape[2:]
        pixels = tf.reshape(tf.cast(inputs, self.compute_dtype), [-1, width * channels])

        def row(values: Any) -> Any:
            return tf.tile(tf.reshape(tf.cast(values, pixels.dtype), [-1]), [width])

        deviation = keras.ops.maximum(keras.ops.sqrt(self.variance), keras.config.epsilon())
        return tf.reshape((pixels - row(self.mean)) / row(deviation), tf.shape(inputs))

    def _is_image(self, inputs: Any) -> bool:
        """Whether there is a number for each channel of images, and both are known."""
        return (
            not self.invert
            and len(inputs.shape) == 4
            and None not in inputs.shape[2:]
            and self.mean is not None
            and tuple(self.mean.shape) == (1, 1, 1, inputs.shape[-1])
        )


class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras's dropout of whole maps, with the same draws, as one product.

    >>> layer = SpatialDropout2D(0.5, seed=0)
    >>> dropped = layer(keras.ops.ones((2, 2, 2, 1)), training=True)
    >>> sorted(set(dropped.numpy().ravel().tolist())) in ([0.0], [2.0], [0.0, 2.0])
    True
    """

    __class__ = property(lambda self: keras.layers.SpatialDropout2D)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Drop maps of `inputs` (batch, height, width, channels)."""
        if not training or not 0 < self.rate < 1:
            return super().call(inputs, training=training)
        whole = keras.ops.ones(self._get_noise_shape(inputs), inputs.dtype)
        return inputs * keras.random.dropout(whole, self.rate, seed=self.seed_generator)
