"""The pieces that the model families share: input, normalisation, convolutions, logits.

A piece is a short list of named layers. `keras.Sequential` takes lists as they are (`*piece`);
a functional graph sends a tensor through with `apply(piece, x)`.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import keras

from kcnn.layers import BatchNormalization

# Of the 50,000 CIFAR-10 training images, per channel (red, green, blue), in units of 0-255.
CIFAR10_MEAN = (0.4914 * 255, 0.4822 * 255, 0.4465 * 255)
CIFAR10_STD = (0.2470 * 255, 0.2435 * 255, 0.2616 * 255)

# Keras's 0.99 needs some 500 steps to forget its start: too slow for runs of a few epochs.
BATCH_NORM_MOMENTUM = 0.9


def apply(layers: Iterable[keras.layers.Layer], x: keras.KerasTensor) -> keras.KerasTensor:
    """Send `x` through `layers`, one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def image_input(input_shape: Sequence[int], *, minimum_size: int) -> keras.KerasTensor:
    """Return the input "image" for raw pixels 0-255 of `input_shape` (height, width, channels).

    Raises:
        ValueError: not three positive whole numbers, or smaller than `minimum_size` pixels.
    """
    shape = tuple(input_shape) if isinstance(input_shape, Iterable) else ()
    if len(shape) != 3 or not all(isinstance(size, Integral) and size > 0 for size in shape):
        raise ValueError(
            "input_shape must be three positive integers (height, width, channels). "
            f"Received: input_shape={input_shape!r}"
        )
    if min(shape[:2]) < minimum_size:
        raise ValueError(
            f"input_shape must be at least {minimum_size}x{minimum_size} pixels for this network. "
            f"Received: input_shape={shape}"
        )
    return keras.Input(shape, name="image")


def normalize(channels: int, *, padding: int) -> list[keras.layers.Layer]:
    """Pad raw pixels with black, then shift and scale them to about zero mean and unit variance.

    The border comes first and the convolution that follows is "valid": only then is each of its
    outputs linear in raw pixels everywhere, so that export can fold the normalisation into its
    weights exactly. Colour images get CIFAR-10's mean and standard deviation per channel, other
    channel counts the average over the three colours. The constants add no weights.
    """
    mean, std = CIFAR10_MEAN, CIFAR10_STD
    if channels != len(mean):
        mean = [sum(mean) / len(mean)] * channels
        std = [sum(std) / len(std)] * channels
    layers = [
        keras.layers.Normalization(
            mean=list(mean), variance=[value**2 for value in std], name="normalize"
        )
    ]
    return [keras.layers.ZeroPadding2D(padding, name="pad"), *layers] if padding else layers


def conv(
    filters: int,
    kernel_size: int,
    *,
    strides: int = 1,
    padding: str = "same",
    use_bias: bool = False,
    name: str,
) -> keras.layers.Conv2D:
    """Return a convolution with He-normal kernels, the initialisation meant for ReLU networks."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer="he_normal",
        name=name,
    )


def batch_norm(name: str) -> keras.layers.BatchNormalization:
    """Return the batch normalisation of the layer `name`: `name`_bn."""
    return BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")


def relu(name: str) -> keras.layers.ReLU:
    """Return the activation `name`_relu, a layer of its own so that Grad-CAM can name its map."""
    return keras.layers.ReLU(name=f"{name}_relu")


def conv_bn(filters: int, kernel_size: int, *, name: str, **options) -> list[keras.layers.Layer]:
    """Return the convolution `name`, with the options of `conv`, and its batch norm."""
    return [conv(filters, kernel_size, name=name, **options), batch_norm(name)]


def conv_bn_relu(
    filters: int, kernel_size: int, *, name: str, **options
) -> list[keras.layers.Layer]:
    """Return the convolution `name`, with the options of `conv`, its batch norm and its ReLU."""
    return [*conv_bn(filters, kernel_size, name=name, **options), relu(name)]


def dense_relu(units: int, *, name: str) -> list[keras.layers.Layer]:
    """Return a hidden dense layer `name` and its activation `name`_relu."""
    return [keras.layers.Dense(units, kernel_initializer="he_normal", name=name), relu(name)]


def check_count(argument: str, value: int, *, minimum: int) -> None:
    """Check that `value` is a whole number of at least `minimum`.

    Raises:
        ValueError: it is not; the message names `argument`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(
            f"{argument} must be an integer of at least {minimum}. Received: {argument}={value!r}"
        )


def check_rate(argument: str, value: float) -> None:
    """Check that `value` is a share of units to drop: at least 0, below 1.

    Raises:
        ValueError: it is not; the message names `argument`.
    """
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise ValueError(
            f"{argument} must be at least 0 and below 1. Received: {argument}={value!r}"
        )


def dropout(rate: float, *, name: str) -> keras.layers.Dropout:
    """Return a dropout layer.

    Raises:
        ValueError: `rate` is not at least 0 and below 1.
    """
    check_rate("dropout", rate)
    return keras.layers.Dropout(rate, name=name)


def logits(num_classes: int) -> keras.layers.Dense:
    """Return the last layer: one float32 logit a class, no activation.

    Raises:
        ValueError: `num_classes` is not a whole number of at least 2.
    """
    check_count("num_classes", num_classes, minimum=2)
    # float32 also under a mixed precision policy: the loss needs it.
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")
