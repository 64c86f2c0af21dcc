"""Where every model begins and ends: raw pixels, their normalization, logits."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, cast

import keras
import numpy as np

from kcnn.checks import check_count
from kcnn.errors import unknown
from kcnn.models.applications import IMAGENET_MEAN, IMAGENET_STD


def _of_255(*values: float) -> tuple[float, ...]:
    return tuple(255 * value for value in values)


# Of the 50,000 CIFAR-10 training images, per channel (red, green, blue), for pixels 0-255.
CIFAR10_MEAN = (0.4914 * 255, 0.4822 * 255, 0.4465 * 255)
CIFAR10_STD = (0.2470 * 255, 0.2435 * 255, 0.2616 * 255)

NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cifar10": (CIFAR10_MEAN, CIFAR10_STD),
    "cifar100": (_of_255(0.5071, 0.4865, 0.4409), _of_255(0.2673, 0.2564, 0.2762)),
    "fashion_mnist": (_of_255(0.2860), _of_255(0.3530)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "mnist": (_of_255(0.1307), _of_255(0.3081)),
    "svhn_cropped": (_of_255(0.4377, 0.4438, 0.4728), _of_255(0.1980, 0.2010, 0.1970)),
}
"""Mean and standard deviation of data sets' training images, per channel, for pixels 0-255."""

Scaling = str | tuple[Any, Any] | None
"""What the argument `normalization` of a builder may be: see `normalize`."""

_IMAGES = 2

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


def normalize(
    channels: int, normalization: Scaling = "auto", *, padding: int, rank: int = 2
) -> list[keras.layers.Layer]:
    """Pad raw pixels with black, then shift and scale them to about zero mean and unit variance.

    The padding comes first, and the convolution that follows must be "valid": only then is each of
    its outputs linear in raw pixels everywhere, so that export can fold the normalization into its
    weights exactly. The constants add no weights.

    Args:
        channels: of the input.
        normalization: the name of a data set (`NORMALIZATIONS`), whose mean and standard deviation
            are subtracted and divided by; `(mean, std)` of raw pixels, each a number or one for
            every channel; None for no normalization, for input that is scaled already; "auto" for
            "cifar10" with images and None with series and voxels, whose numbers may have any range.
            A data set whose channels are not as many gives the average over its own.
        padding: black pixels on every side; 0 leaves the layer out.
        rank: axes that are padded: 1 for series, 2 for images, 3 for voxels.

    Raises:
        ValueError: `normalization` is none of these.

    >>> [layer.name for layer in normalize(3, padding=1)]
    ['pad', 'normalize']
    >>> normalize(1, (33.3, 78.6), padding=0)[0].get_config()["mean"]
    [33.3]
    """
    layers = _normalization(normalization, channels, rank)
    return [_INPUTS[rank][3](padding, name="pad"), *layers] if padding else layers


def _normalization(given: Scaling, channels: int, rank: int) -> list[keras.layers.Layer]:
    if given == "auto":
        given = "cifar10" if rank == _IMAGES else None
    if given is None:
        return []
    if isinstance(given, str):
        if given not in NORMALIZATIONS:
            raise unknown("normalization", given, ["auto", *NORMALIZATIONS])
        ends = [_per_channel(each, channels) for each in NORMALIZATIONS[given]]
    else:
        ends = _own(given, channels, rank)
    mean, std = ends
    variance = [value**2 for value in std]
    return [keras.layers.Normalization(mean=mean, variance=variance, name="normalize")]


def _per_channel(values: Sequence[float], channels: int) -> list[float]:
    return list(values) if channels == len(values) else [sum(values) / len(values)] * channels


def _own(given: Any, channels: int, rank: int) -> list[list[float]]:
    """Return the mean and the standard deviation of every channel that the user gave."""
    try:
        mean, std = (np.broadcast_to(np.asarray(each, float), (channels,)) for each in given)
    except (TypeError, ValueError):
        mean, std = np.zeros(0), np.zeros(0)
    finite = np.isfinite(mean).all() and np.isfinite(std).all()
    if not mean.size or not finite or not (std > 0).all():
        raise ValueError(
            "normalization must be the name of a data set, None, or (mean, std), each a number or "
            f"{channels} of them, with std above 0. Received: normalization={given!r}"
        )
    if rank == _IMAGES and std.max() <= 1:
        raise ValueError(
            "normalization=(mean, std) is that of raw pixels 0-255, and these are of 0-1: multiply "
            f"them by 255. Received: normalization={given!r}"
        )
    return [mean.tolist(), std.tolist()]


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
