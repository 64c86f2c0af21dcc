"""Rounding as an int8 model rounds, in a model that still trains in floats."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops
_fake_quantize: Any = keras.quantizers.fake_quant_with_min_max_vars

# The limit for a channel of zeros, whose own would be 0; its zeros stay zeros.
_SMALLEST = 1e-6


def fake_quantized_kernel(
    kernel: keras.KerasTensor,
    input_scale: Sequence[float] | None = None,
    *,
    per_channel: bool = True,
    bits: int = 8,
) -> keras.KerasTensor:
    """Return the kernel rounded as in an int8 model, or in one with kernels of fewer bits.

    Each output channel has 255 values, or 15 of 4 bits, evenly spaced from minus to plus its
    largest magnitude: LiteRT's scheme, in which 0 stays 0. The gradient passes unchanged, as if
    nothing were rounded.

    Args:
        kernel: float32 with 2 or 4 axes (..., inputs, outputs).
        input_scale: the factors of a scaling layer before this one, one per input channel; they
            repeat if there are fewer than inputs. Export multiplies the kernel by them and rounds
            the product, so this function does the same.
        per_channel: whether each output channel has values of its own, as in a convolution, or all
            of them share those of the largest, as in a dense layer.
        bits: of a stored number.

    Returns:
        The rounded kernel, float32 in the same shape.

    >>> kernel = ops.convert_to_tensor([[1.0, -0.2], [0.3, 0.1]])
    >>> (fake_quantized_kernel(kernel) * [127 / 1.0, 127 / 0.2]).numpy().round(3)
    array([[ 127., -127.],
           [  38.,   64.]], dtype=float32)
    """
    if input_scale is not None:
        scale: Any = np.resize(np.asarray(input_scale, "float32"), kernel.shape[-2])[:, None]
        scaled: Any = kernel * scale
        rounded: Any = fake_quantized_kernel(scaled, per_channel=per_channel, bits=bits)
        return rounded / scale
    # No stop_gradient on the limits: rounding may move the weights that define them outside, where
    # only the limits pass a gradient on.
    axes = tuple(range(len(kernel.shape) - 1)) if per_channel else None
    limits = ops.maximum(ops.max(ops.abs(kernel), axis=axes), _SMALLEST)
    axis = -1 if per_channel else None
    return _fake_quantize(kernel, -limits, limits, num_bits=bits, narrow_range=True, axis=axis)


@keras.saving.register_keras_serializable(package="kcnn")
class FakeQuantize(keras.layers.Layer):
    """Round activations to the 256 values that an int8 tensor has between two bounds.

    Place it wherever an int8 model stores a tensor. In training the bounds follow the smallest and
    the largest value of each batch: they are the mean over all batches at first, and an exponential
    moving average later. Values beyond the bounds are clipped. The bounds always enclose 0, and are
    shifted so that one of the 256 values is exactly 0. The gradient of rounded values passes
    unchanged; that of clipped values is 0.

    Input and output: floats of any shape; both have the same.

    Paper: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), section 3, https://arxiv.org/abs/1712.05877.

    Args:
        bounds: fixed (minimum, maximum); None to learn them.
        momentum: how slowly learned bounds follow, in [0, 1): in step n + 1 their old values get
            the smaller of the weights `momentum` and n / (n + 1).
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: an argument is out of its range.

    >>> layer = FakeQuantize((0.0, 255.0))
    >>> layer(ops.convert_to_tensor([-3.0, 0.4, 7.6, 300.0])).numpy()
    array([  0.,   0.,   8., 255.], dtype=float32)
    """

    def __init__(
        self, bounds: Sequence[float] | None = None, momentum: float = 0.99, **options: Any
    ) -> None:
        super().__init__(**options)
        if bounds is not None and not bounds[0] <= 0 < bounds[1]:
            raise ValueError(f"bounds must enclose 0. Received: bounds={bounds!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1). Received: momentum={momentum!r}")
        self.bounds = None if bounds is None else tuple(map(float, bounds))
        self.momentum = float(momentum)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the weights of learned bounds."""
        if self.bounds is None:
            options: dict[str, Any] = {"initializer": "zeros", "trainable": False}
            self.minimum = self.add_weight((), name="minimum", **options)
            self.maximum = self.add_weight((), name="maximum", **options)
            self.steps = self.add_weight((), name="steps", **options)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Round `inputs`; in training, update learned bounds first."""
        if self.bounds is None and training and self.trainable:
            self._update_bounds(inputs)
        low, high = (self.minimum, self.maximum) if self.bounds is None else self.bounds
        return _fake_quantize(inputs, low, high, num_bits=8)

    def _update_bounds(self, inputs: keras.KerasTensor) -> None:
        inputs = ops.stop_gradient(inputs)
        low = ops.minimum(ops.min(inputs), 0.0)
        high = ops.maximum(ops.max(inputs), low + _SMALLEST)
        keep = ops.minimum(self.momentum, self.steps / (self.steps + 1))
        self.minimum.assign(self.minimum * keep + low * (1 - keep))
        self.maximum.assign(self.maximum * keep + high * (1 - keep))
        self.steps.assign_add(1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return `input_shape`, which does not change."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        bounds = None if self.bounds is None else list(self.bounds)
        return super().get_config() | {"bounds": bounds, "momentum": self.momentum}
