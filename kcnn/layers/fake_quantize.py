"""Rounding as an int8 model rounds, in a model that still trains in floats."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

# A channel of zeros has no scale of its own; this one keeps its zeros zeros.
_SMALLEST = 1e-6


def fake_quantized_kernel(
    kernel: keras.KerasTensor, input_scale: Sequence[float] | None = None
) -> keras.KerasTensor:
    """Return the kernel `(..., inputs, outputs)` as an int8 model has it.

    Each output channel takes 255 values, evenly spaced from minus to plus its largest magnitude:
    LiteRT's scheme, in which 0 stays 0. The gradient passes as if nothing had been rounded.

    Args:
        kernel: of 2 or 4 axes, float32.
        input_scale: by what an input channel is multiplied before it comes here. Export folds
            that into the kernel and rounds the product, so this does the same. One number for
            each input, or for the first ones, after which they repeat.

    >>> kernel = ops.convert_to_tensor([[1.0, -0.2], [0.3, 0.1]])
    >>> (fake_quantized_kernel(kernel) * [127 / 1.0, 127 / 0.2]).numpy().round(3)
    array([[ 127., -127.],
           [  38.,   64.]], dtype=float32)
    """
    if input_scale is not None:
        scale = np.resize(np.float32(input_scale), kernel.shape[-2])[:, None]
        return fake_quantized_kernel(kernel * scale) / scale
    # The limits carry the gradient of the weights that they are: rounding may put these outside.
    limits = ops.max(ops.abs(kernel), axis=tuple(range(len(kernel.shape) - 1)))
    limits = ops.maximum(limits, _SMALLEST)
    return keras.quantizers.fake_quant_with_min_max_vars(
        kernel, -limits, limits, num_bits=8, narrow_range=True, axis=-1
    )


@keras.saving.register_keras_serializable(package="kcnn")
class FakeQuantize(keras.layers.Layer):
    """Round activations to the 256 values that an int8 tensor has between two bounds.

    It stands wherever an int8 model stores a tensor. In training the bounds follow the smallest
    and the largest value of each batch, as the mean of all batches at first and as an exponential
    moving average later; values beyond them are clipped. The bounds always take in 0, and are
    nudged so that one of the 256 values is exactly 0. The gradient passes as if nothing had been
    rounded, and stops at clipped values.

    Input and output: floats of any one shape.

    Paper: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), section 3, https://arxiv.org/abs/1712.05877.

    Args:
        bounds: (minimum, maximum), where they are known and fixed; None to learn them.
        momentum: how slowly learned bounds follow: after step n they keep the smaller of
            `momentum` and n / (n + 1) of what they were.
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: an argument is out of its range.

    >>> layer = FakeQuantize((0.0, 255.0))
    >>> layer(ops.convert_to_tensor([-3.0, 0.4, 7.6, 300.0])).numpy()
    array([  0.,   0.,   8., 255.], dtype=float32)
    """

    def __init__(
        self, bounds: Sequence[float] | None = None, momentum: float = 0.99, **options
    ) -> None:
        super().__init__(**options)
        if bounds is not None and not bounds[0] <= 0 < bounds[1]:
            raise ValueError(f"bounds must enclose 0. Received: bounds={bounds!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1). Received: momentum={momentum!r}")
        self.bounds = None if bounds is None else tuple(map(float, bounds))
        self.momentum = float(momentum)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights of learned bounds."""
        if self.bounds is None:
            options = {"initializer": "zeros", "trainable": False}
            self.minimum = self.add_weight((), name="minimum", **options)
            self.maximum = self.add_weight((), name="maximum", **options)
            self.steps = self.add_weight((), name="steps", **options)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Round `inputs`; in training, learn their bounds first."""
        if self.bounds is None and training and self.trainable:
            self._follow(inputs)
        low, high = (self.minimum, self.maximum) if self.bounds is None else self.bounds
        return keras.quantizers.fake_quant_with_min_max_vars(inputs, low, high, num_bits=8)

    def _follow(self, inputs: keras.KerasTensor) -> None:
        inputs = ops.stop_gradient(inputs)
        low = ops.minimum(ops.min(inputs), 0.0)
        high = ops.maximum(ops.max(inputs), low + _SMALLEST)
        keep = ops.minimum(self.momentum, self.steps / (self.steps + 1))
        self.minimum.assign(self.minimum * keep + low * (1 - keep))
        self.maximum.assign(self.maximum * keep + high * (1 - keep))
        self.steps.assign_add(1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return `input_shape`: nothing changes."""
        return input_shape

    def get_config(self) -> dict:
        """Return the arguments that make this layer again."""
        bounds = None if self.bounds is None else list(self.bounds)
        return super().get_config() | {"bounds": bounds, "momentum": self.momentum}
