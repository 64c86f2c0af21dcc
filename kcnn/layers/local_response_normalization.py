"""Local response normalization, AlexNet's predecessor of batch normalization."""

from numbers import Real
from typing import Any, cast

import keras
import numpy as np

from kcnn.checks import check_count

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops


@keras.saving.register_keras_serializable(package="kcnn")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide every activation by a power of the energy of the channels around it.

    `x / (bias + alpha * sum)**beta`, where `sum` adds the squares of the `2 * depth_radius + 1`
    channels around that of `x`; fewer at the first and last channels. Use it to rebuild AlexNet and
    the networks of its time. It has no weights, equals `tf.nn.local_response_normalization`, runs
    and trains on every backend of Keras, and can be exported to int8. The defaults are the paper's
    n = 5, k = 2, alpha = 1e-4, beta = 0.75; note that Caffe and PyTorch divide alpha by n.

    Input and output: floats `(batch, ..., channels)`; both have the same shape and dtype.

    Paper: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks"
    (2012), section 3.3.

    Args:
        depth_radius: number of neighbors that count on either side, at least 0.
        bias: above 0, so that the power is defined for an input of zeros.
        alpha: weight of the sum of squares, at least 0.
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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_count("depth_radius", depth_radius, minimum=0)
        if not isinstance(bias, Real) or not float(bias) > 0:
            raise ValueError(f"bias must be a number above 0. Received: bias={bias!r}")
        if not isinstance(alpha, Real) or not float(alpha) >= 0:
            raise ValueError(f"alpha must be a number of at least 0. Received: alpha={alpha!r}")
        if not isinstance(beta, Real):
            raise ValueError(f"beta must be a number. Received: beta={beta!r}")
        self.depth_radius = int(depth_radius)
        self.bias, self.alpha, self.beta = float(bias), float(alpha), float(beta)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute which channels are neighbors."""
        channel = np.arange(cast(int, input_shape[-1]))
        distance = np.abs(channel[:, None] - channel)
        self._window = np.where(distance <= self.depth_radius, self.alpha, 0.0)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Normalize `inputs` `(batch, ..., channels)`."""
        # Every operation here has an int8 kernel in LiteRT, unlike TensorFlow's own normalization
        # and `power` and `square`: the product with the window becomes FULLY_CONNECTED (with alpha
        # and bias inside), the logarithm and the exponential one lookup table each. Reciprocal
        # square roots would have the same error, but allow only a few exponents. On a CPU,
        # AlexNet's layers train as fast as with TensorFlow's own kernel, or twice as fast.
        # Under mixed precision too the dtype is at least float32: bfloat16 would lose the sum.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        x = ops.cast(inputs, dtype)
        window = ops.convert_to_tensor(self._window, dtype=dtype)
        energy = ops.matmul(x * x, window)
        normalized = x * ops.exp(-self.beta * ops.log(self.bias + energy))
        return ops.cast(normalized, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return `input_shape`, which does not change."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        return super().get_config() | {
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
        }
