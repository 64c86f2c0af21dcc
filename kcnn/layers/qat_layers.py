"""Layers for quantization-aware training (QAT): they train float weights and compute with int8.

Each is its `stock` layer with one change: the kernel is rounded before it is used. The weights have
the same names, shapes and order as those of the stock layer. A convolution and a dense layer can
have kernels of 4 bits, for an int4 model.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.layers.fake_quantize import FakeQuantize, fake_quantized_kernel
from kcnn.layers.local_response_normalization import LocalResponseNormalization
from kcnn.layers.partially_connected_conv import PartiallyConnectedConv2D

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops

_register = keras.saving.register_keras_serializable(package="kcnn")


@_register
class QuantizeAwareConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with the kernel of an int8 model, one scale per filter.

    Args:
        *args: as for `keras.layers.Conv2D`.
        input_scale: see `kcnn.layers.fake_quantized_kernel`.
        weight_bits: of a number of the kernel, 8 or 4.
        **options: as for `keras.layers.Conv2D`.

    >>> QuantizeAwareConv2D(2, 3)(ops.ones((1, 8, 8, 3))).shape
    TensorShape([1, 6, 6, 2])
    """

    stock = keras.layers.Conv2D

    def __init__(
        self,
        *args: Any,
        input_scale: Sequence[float] | None = None,
        weight_bits: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.input_scale, self.weight_bits = input_scale, weight_bits

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the rounded kernel."""
        return fake_quantized_kernel(self.kernel, self.input_scale, bits=self.weight_bits)

    def convolution_op(
        self, inputs: keras.KerasTensor, kernel: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Convolve `inputs` with the rounded kernel."""
        outputs: Any = super().convolution_op(inputs, self.quantized_kernel())
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        own = {"input_scale": self.input_scale, "weight_bits": self.weight_bits}
        return super().get_config() | own


@_register
class QuantizeAwareDense(keras.layers.Dense):
    """`keras.layers.Dense` with the kernel of an int8 model.

    Args:
        *args: as for `keras.layers.Dense`.
        input_scale: see `kcnn.layers.fake_quantized_kernel`.
        per_channel: whether each unit has a scale of its own, or the kernel one for all units, as
            in the files that `kcnn.export_tflite` writes unless it is told otherwise.
        weight_bits: of a number of the kernel, 8 or 4.
        **options: as for `keras.layers.Dense`.

    >>> QuantizeAwareDense(2)(ops.ones((1, 8))).shape
    TensorShape([1, 2])
    """

    stock = keras.layers.Dense

    def __init__(
        self,
        *args: Any,
        input_scale: Sequence[float] | None = None,
        per_channel: bool = True,
        weight_bits: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.input_scale, self.per_channel = input_scale, per_channel
        self.weight_bits = weight_bits

    def quantized_kernel(self, *, per_channel: bool | None = None) -> keras.KerasTensor:
        """Return the rounded kernel, with the scales of the layer or with others."""
        return fake_quantized_kernel(
            self.kernel,
            self.input_scale,
            per_channel=self.per_channel if per_channel is None else per_channel,
            bits=self.weight_bits,
        )

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Multiply `inputs` by the rounded kernel."""
        outputs = ops.matmul(inputs, self.quantized_kernel())
        return _add_bias_and_activate(self, outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        own = {"input_scale": self.input_scale, "per_channel": self.per_channel}
        return super().get_config() | own | {"weight_bits": self.weight_bits}


@_register
class QuantizeAwareDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with the kernel of an int8 model, one scale per channel.

    >>> QuantizeAwareDepthwiseConv2D(3)(ops.ones((1, 8, 8, 4))).shape
    TensorShape([1, 6, 6, 4])
    """

    stock = keras.layers.DepthwiseConv2D

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the rounded kernel."""
        height, width, channels, multiplier = self.kernel.shape
        flat = ops.reshape(self.kernel, (height * width, channels * multiplier))
        return ops.reshape(fake_quantized_kernel(flat), self.kernel.shape)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve `inputs` with the rounded kernel."""
        outputs = ops.depthwise_conv(
            inputs,
            self.quantized_kernel(),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return _add_bias_and_activate(self, outputs)


@_register
class QuantizeAwarePartiallyConnectedConv2D(PartiallyConnectedConv2D):
    """`kcnn.layers.PartiallyConnectedConv2D` with an int8 model's kernel, one scale per map.

    >>> QuantizeAwarePartiallyConnectedConv2D([(0, 1), (1,)], 3)(ops.ones((1, 8, 8, 2))).shape
    TensorShape([1, 6, 6, 2])
    """

    stock = PartiallyConnectedConv2D

    def __init__(self, *args: Any, weight_bits: int = 8, **options: Any) -> None:
        super().__init__(*args, **options)
        self.weight_bits = weight_bits

    def full_kernel(self) -> keras.KerasTensor:
        """Return the rounded kernel with zeros where there is no connection."""
        return fake_quantized_kernel(super().full_kernel(), bits=self.weight_bits)

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the rounded weights, in the layout of `kernel`."""
        return self.of_links(self.full_kernel())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        return super().get_config() | {"weight_bits": self.weight_bits}


@_register
class QuantizeAwareLocalResponseNormalization(LocalResponseNormalization):
    """`kcnn.layers.LocalResponseNormalization` as an int8 model computes it: in rounded steps.

    >>> QuantizeAwareLocalResponseNormalization()(ops.ones((1, 4)), training=True).shape
    TensorShape([1, 4])
    """

    stock = LocalResponseNormalization

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the bounds of the intermediate results."""
        super().build(input_shape)
        self.roundings = [
            FakeQuantize(name=name, dtype=self.dtype_policy)
            for name in ("squares", "energy", "logarithm", "exponent", "divisor")
        ]
        for rounding in self.roundings:
            rounding.build(input_shape)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Normalize `inputs` `(batch, ..., channels)`."""
        squares, energy, logarithm, exponent, divisor = (
            lambda value, rounding=rounding: rounding(value, training=training)
            for rounding in self.roundings
        )
        # The window needs no rounding: int8 represents both of its values, alpha and 0, exactly.
        window = ops.convert_to_tensor(self._window, dtype="float32")
        summed = energy(self.bias + ops.matmul(squares(inputs * inputs), window))
        return inputs * divisor(ops.exp(exponent(-self.beta * logarithm(ops.log(summed)))))


def _add_bias_and_activate(layer: Any, outputs: Any) -> Any:
    if layer.use_bias:
        outputs = outputs + layer.bias
    return outputs if layer.activation is None else layer.activation(outputs)
