"""Local response normalisation, AlexNet's forerunner of batch normalisation."""

from numbers import Integral, Real

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kcnn")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide every activation by a power of the energy of the channels around it.

    `x / (bias + alpha * sum)**beta`, where `sum` adds the squares of the `2 * depth_radius + 1`
    channels around that of `x`, or of as many as there are at the first and the last ones. Use it
    to rebuild AlexNet and the networks of its time. It has no weights, equals
    `tf.nn.local_response_normalization`, runs and trains on every backend of Keras, and can be
    exported to int8. The defaults are the paper's n = 5, k = 2, alpha = 1e-4, beta = 0.75; note
    that Caffe and PyTorch divide alpha by n.

    Input and output: floats `(batch, ..., channels)`, of one shape and dtype.

    Paper: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks"
    (2012), section 3.3.

    Args:
        depth_radius: neighbours that count on either side, at least 0.
        bias: above 0, so that the power exists for an input of zeros.
        alpha: weight of the energy, at least 0.
        beta: the exponent.
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: an argument is out of its range.

    >>> layer = LocalResponseNormalization(depth_radius=1, bias=1.0, alpha=1.0, beta=0.5)
    >>> layer(ops.ones((1, 4))).numpy().round(3)
    array([[0.577, 0.5  , 0.5  , 0.577]], dtype=float32)
    """

    def __init__(
        self,
        depth_radius: int = 2,
        bias: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        **options,
    ) -> None:
        super().__init__(**options)
        if not isinstance(depth_radius, Integral) or depth_radius < 0:
            raise ValueError(
                "depth_radius must be an integer of at least 0. "
                f"Received: depth_radius={depth_radius!r}"
            )
        if not isinstance(bias, Real) or not bias > 0:
            raise ValueError(f"bias must be a number above 0. Received: bias={bias!r}")
        if not isinstance(alpha, Real) or not alpha >= 0:
            raise ValueError(f"alpha must be a number of at least 0. Received: alpha={alpha!r}")
        if not isinstance(beta, Real):
            raise ValueError(f"beta must be a number. Received: beta={beta!r}")
        self.depth_radius = int(depth_radius)
        self.bias, self.alpha, self.beta = float(bias), float(alpha), float(beta)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Lay out which channels are neighbours."""
        channel = np.arange(input_shape[-1])
        distance = np.abs(channel[:, None] - channel)
        self._window = np.where(distance <= self.depth_radius, self.alpha, 0.0)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Normalise `inputs` `(batch, ..., channels)`."""
        # Every operation here has an int8 kernel in LiteRT, which TensorFlow's own one and `power`
        # and `square` have not: the product with the window becomes FULLY_CONNECTED (with alpha and
        # bias inside), the logarithm and the exponential one table each. Through reciprocal square
        # roots, the other way, the error is the same, but only a few exponents can be had. On a
        # CPU it trains AlexNet's layers as fast as TensorFlow's own kernel, or twice as fast.
        # Under mixed precision too, no less than float32: bfloat16 would round the sum away.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        x = ops.cast(inputs, dtype)
        window = ops.convert_to_tensor(self._window, dtype=dtype)
        energy = ops.matmul(x * x, window)
        normalized = x * ops.exp(-self.beta * ops.log(self.bias + energy))
        return ops.cast(normalized, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return `input_shape`: nothing changes."""
        return input_shape

    def get_config(self) -> dict:
        """Return the arguments that make this layer again."""
        return super().get_config() | {
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
        }
