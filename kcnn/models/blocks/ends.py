"""Where every model begins and ends: raw pixels, their normalization, logits."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import cast

import keras

from kcnn.checks import check_count

# Of the 50,000 CIFAR-10 training images, per channel (red, green, blue), for pixels 0-255.
CIFAR10_MEAN = (0.4914 * 255, 0.4822 * 255, 0.4465 * 255)
CIFAR10_STD = (0.2470 * 255, 0.2435 * 255, 0.2616 * 255)

# Rank -> the input's name, its shape in words, what its axes count, and the layer that pads them.
_INPUTS = {
    1: ("series", "two positive integers (steps, channels)", "steps", keras.layers.ZeroPadding1D),
    2: (
        "image",
        "three positive integers (height, width, channels)",
        "pixels",
        keras.layers.ZeroPadding2D,
    ),
    3: (
        "voxels",
        "four positive integers (depth, height, width, channels)",
        "voxels",
        keras.layers.ZeroPadding3D,
    ),
}


def image_input(
    input_shape: Sequence[int], *, minimum_size: int, ranks: Sequence[int] = (2,)
) -> keras.KerasTensor:
    """Return the model's input for raw pixels 0-255, channels last.

    Its name is "image", or with another rank "series" or "voxels".

    Args:
        input_shape: without the batch, such as (height, width, channels).
        minimum_size: the smallest size along every axis but the channels.
        ranks: the allowed numbers of these axes: 1 for series, 2 for images, 3 for voxels.

    Raises:
        ValueError: `input_shape` has another rank or a size that is too small.

    >>> image_input((32, 32, 3), minimum_size=4).name
    'image'
    """
    shape = tuple(input_shape) if isinstance(input_shape, Iterable) else ()
    rank = len(shape) - 1
    if rank not in ranks or not all(isinstance(size, Integral) and size > 0 for size in shape):
        wanted = " or ".join(_INPUTS[each][1] for each in ranks)
        raise ValueError(f"input_shape must be {wanted}. Received: input_shape={input_shape!r}")
    if min(shape[:-1]) < minimum_size:
        size = "x".join([str(minimum_size)] * rank)
        raise ValueError(
            f"input_shape must be at least {size} {_INPUTS[rank][2]} for this network. "
            f"Received: input_shape={shape}"
        )
    return cast(keras.KerasTensor, keras.Input(shape, name=_INPUTS[rank][0]))


def normalize(channels: int, *, padding: int, rank: int = 2) -> list[keras.layers.Layer]:
    """Pad raw pixels with black, then shift and scale them to about zero mean and unit variance.

    The padding comes first, and the convolution that follows must be "valid": only then is each of
    its outputs linear in raw pixels everywhere, so that export can fold the normalization into its
    weights exactly. The constants add no weights.

    Args:
        channels: of the input. Three (RGB) get CIFAR-10's mean and standard deviation per channel,
            any other number the average over the three colors.
        padding: black pixels on every side; 0 leaves the layer out.
        rank: axes that are padded: 1 for series, 2 for images, 3 for voxels.

    >>> [layer.name for layer in normalize(3, padding=1)]
    ['pad', 'normalize']
    """
    mean, std = CIFAR10_MEAN, CIFAR10_STD
    if channels != len(mean):
        mean = [sum(mean) / len(mean)] * channels
        std = [sum(std) / len(std)] * channels
    layers: list[keras.layers.Layer] = [
        keras.layers.Normalization(
            mean=list(mean), variance=[value**2 for value in std], name="normalize"
        )
    ]
    return [_INPUTS[rank][3](padding, name="pad"), *layers] if padding else layers


def logits(num_classes: int) -> keras.layers.Dense:
    """Return the last layer: one float32 logit per class, no activation.

    Raises:
        ValueError: `num_classes` is not an integer of at least 2.

    >>> logits(10).units
    10
    """
    check_count("num_classes", num_classes, minimum=2)
    # float32 also under a mixed precision policy: the loss needs it.
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")
