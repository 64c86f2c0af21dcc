"""Layers that compute with the int8 weights they will have, and train the float ones behind them.

Each is its stock layer with one thing changed: the kernel is rounded on its way into the sum. The
weights are the stock layer's, in name, shape and order.
"""

from collections.abc import Sequence

import keras
from keras import ops

from kcnn.layers.fake_quantize import FakeQuantize, fake_quantized_kernel
from kcnn.layers.local_response_normalization import LocalResponseNormalization
from kcnn.layers.partially_connected_conv import PartiallyConnectedConv2D

_register = keras.saving.register_keras_serializable(package="kcnn")


@_register
class QuantizeAwareConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with the kernel of an int8 model, one scale a filter.

    Args:
        *args: as of `keras.layers.Conv2D`.
        input_scale: see `kcnn.layers.fake_quantized_kernel`.
        **options: as of `keras.layers.Conv2D`.

    >>> QuantizeAwareConv2D(2, 3)(ops.ones((1, 8, 8, 3))).shape
    TensorShape([1, 6, 6, 2])
    """

    stock = keras.layers.Conv2D

    def __init__(self, *args, input_scale: Sequence[float] | None = None, **options) -> None:
        super().__init__(*args, **options)
        self.input_scale = input_scale

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the kernel that the convolution works with."""
        return fake_quantized_kernel(self.kernel, self.input_scale)

    def convolution_op(
        self, inputs: keras.KerasTensor, kernel: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Convolve `inputs` with the rounded kernel."""
        return super().convolution_op(inputs, self.quantized_kernel())

    def get_config(self) -> dict:
        """Return the arguments that make this layer again."""
        return super().get_config() | {"input_scale": self.input_scale}


@_register
class QuantizeAwareDense(keras.layers.Dense):
    """`keras.layers.Dense` with the kernel of an int8 model, one scale a unit.

    Args:
        *args: as of `keras.layers.Dense`.
        input_scale: see `kcnn.layers.fake_quantized_kernel`.
        **options: as of `keras.layers.Dense`.

    >>> QuantizeAwareDense(2)(ops.ones((1, 8))).shape
    TensorShape([1, 2])
    """

    stock = keras.layers.Dense

    def __init__(self, *args, input_scale: Sequence[float] | None = None, **options) -> None:
        super().__init__(*args, **options)
        self.input_scale = input_scale

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the kernel that the product is made with."""
        return fake_quantized_kernel(self.kernel, self.input_scale)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Multiply `inputs` by the rounded kernel."""
        outputs = ops.matmul(inputs, self.quantized_kernel())
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict:
        """Return the arguments that make this layer again."""
        return super().get_config() | {"input_scale": self.input_scale}


@_register
class QuantizeAwareDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with the kernel of an int8 model, one scale a channel.

    >>> QuantizeAwareDepthwiseConv2D(3)(ops.ones((1, 8, 8, 4))).shape
    TensorShape([1, 6, 6, 4])
    """

    stock = keras.layers.DepthwiseConv2D

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the kernel that the convolution works with."""
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
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


@_register
class QuantizeAwarePartiallyConnectedConv2D(PartiallyConnectedConv2D):
    """`kcnn.layers.PartiallyConnectedConv2D` with the kernel of an int8 model, one scale a map.

    >>> QuantizeAwarePartiallyConnectedConv2D([(0, 1), (1,)], 3)(ops.ones((1, 8, 8, 2))).shape
    TensorShape([1, 6, 6, 2])
    """

    stock = PartiallyConnectedConv2D

    def full_kernel(self) -> keras.KerasTensor:
        """Return the rounded kernel with zeros for the missing links."""
        return fake_quantized_kernel(super().full_kernel())

    def quantized_kernel(self) -> keras.KerasTensor:
        """Return the weights of the links that the convolution works with."""
        return self.of_links(self.full_kernel())


@_register
class QuantizeAwareLocalResponseNormalization(LocalResponseNormalization):
    """`kcnn.layers.LocalResponseNormalization` as an int8 model has it: in six rounded steps.

    >>> QuantizeAwareLocalResponseNormalization()(ops.ones((1, 4)), training=True).shape
    TensorShape([1, 4])
    """

    stock = LocalResponseNormalization

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the bounds of what is computed on the way."""
        super().build(input_shape)
        self.roundings = [
            FakeQuantize(name=name, dtype=self.dtype_policy)
            for name in ("squares", "energy", "logarithm", "exponent", "divisor")
        ]
        for rounding in self.roundings:
            rounding.build(input_shape)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Normalise `inputs` `(batch, ..., channels)`."""
        squares, energy, logarithm, exponent, divisor = (
            lambda value, rounding=rounding: rounding(value, training=training)
            for rounding in self.roundings
        )
        # Of the two values of the window, alpha and 0, int8 has both exactly.
        window = ops.convert_to_tensor(self._window, dtype="float32")
        summed = energy(self.bias + ops.matmul(squares(inputs * inputs), window))
        return inputs * divisor(ops.exp(exponent(-self.beta * logarithm(ops.log(summed)))))
