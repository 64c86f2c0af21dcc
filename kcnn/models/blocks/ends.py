"""Where every model begins and ends: raw pixels, their normalisation, logits."""

from collections.abc import Iterable, Sequence
from numbers import Integral

import keras

from kcnn.models.blocks.checks import check_count

# Of the 50,000 CIFAR-10 training images, per channel (red, green, blue), in units of 0-255.
CIFAR10_MEAN = (0.4914 * 255, 0.4822 * 255, 0.4465 * 255)
CIFAR10_STD = (0.2470 * 255, 0.2435 * 255, 0.2616 * 255)

# Rank -> the input's name, its shape in words, what its axes count, and what pads them.
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
    """Return the input for raw pixels 0-255 of `input_shape`, channels last.

    It is called "image"; if `ranks` allows 1 or 3 axes, "series" or "voxels".

    Raises:
        ValueError: `input_shape` is no shape of one of the `ranks`, or is smaller than
            `minimum_size` along an axis.

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
    return keras.Input(shape, name=_INPUTS[rank][0])


def normalize(channels: int, *, padding: int, rank: int = 2) -> list[keras.layers.Layer]:
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
    return [_INPUTS[rank][3](padding, name="pad"), *layers] if padding else layers


def logits(num_classes: int) -> keras.layers.Dense:
    """Return the last layer: one float32 logit a class, no activation.

    Raises:
        ValueError: `num_classes` is not a whole number of at least 2.
    """
    check_count("num_classes", num_classes, minimum=2)
    # float32 also under a mixed precision policy: the loss needs it.
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")
