"""Residual networks for small images (He et al. 2015, section 4.2): 6n + 2 layers deep."""

from numbers import Integral

import keras

from kcnn.errors import unknown
from kcnn.models import blocks


def resnet(
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str | None = None,
) -> keras.Model:
    """Build the CIFAR residual network of any `depth` = 6n + 2.

    A 3x3 convolution, then three stages of n residual blocks with `width`, 2 `width` and
    4 `width` filters, the second and third at half the resolution of the one before, then global
    average pooling and the logits. Images are at least 4x4.

    Where a block changes the size of its input, shortcut "A" subsamples it and fills the new
    channels with zeros: no parameters, the paper's choice for CIFAR-10. Shortcut "B" projects it
    with a 1x1 convolution and batch norm. All other shortcuts are the identity.

    Paper: He et al., "Deep Residual Learning" (2015), https://arxiv.org/abs/1512.03385.

    Raises:
        ValueError: an argument is out of its range.

    >>> resnet(8, num_classes=100).name
    'resnet8'
    """
    if not isinstance(depth, Integral) or depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth must be 6n + 2: 8, 14, 20, ... Received: depth={depth!r}")
    blocks.check_count("width", width, minimum=1)
    if shortcut not in SHORTCUTS:
        raise unknown("shortcut", shortcut, SHORTCUTS)
    image = blocks.image_input(input_shape, minimum_size=4)
    logits = blocks.logits(num_classes)
    x = blocks.apply(blocks.normalize(image.shape[-1], padding=1), image)
    x = blocks.apply(blocks.conv_bn_relu(width, 3, padding="valid", name="stem_conv"), x)
    for stage in (1, 2, 3):
        for block in range(1, (depth - 2) // 6 + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            prefix = f"stage{stage}_block{block}"
            x = _residual_block(x, width * 2 ** (stage - 1), strides, shortcut, prefix)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, logits(x), name=name or f"resnet{depth}")


def _residual_block(
    x: keras.KerasTensor, filters: int, strides: int, shortcut: str, name: str
) -> keras.KerasTensor:
    """Add two 3x3 convolutions of `filters` to the shortcut of `x`; ReLU after the sum."""
    residual = blocks.apply(
        [
            *blocks.conv_bn_relu(filters, 3, strides=strides, name=f"{name}_conv1"),
            *blocks.conv_bn(filters, 3, name=f"{name}_conv2"),
        ],
        x,
    )
    if strides > 1:
        x = blocks.apply(SHORTCUTS[shortcut](x.shape[-1], filters, strides, name), x)
    return blocks.relu(name)(keras.layers.Add(name=f"{name}_add")([x, residual]))


def _subsample_and_pad(
    channels: int, filters: int, strides: int, name: str
) -> list[keras.layers.Layer]:
    new = filters - channels
    return [
        # Pooling over one pixel with strides takes every second pixel, unchanged.
        keras.layers.AveragePooling2D(1, strides=strides, name=f"{name}_subsample"),
        # "channels_first" makes a padding of (height, width) one of the last two axes, which are
        # (width, channels) here: the stock layer pads channels, and no Lambda is needed, which a
        # saved file could not carry safely.
        keras.layers.ZeroPadding2D(
            ((0, 0), (new // 2, new - new // 2)),
            data_format="channels_first",
            name=f"{name}_pad_channels",
        ),
    ]


def _project(channels: int, filters: int, strides: int, name: str) -> list[keras.layers.Layer]:
    return blocks.conv_bn(filters, 1, strides=strides, name=f"{name}_project")


SHORTCUTS = {"A": _subsample_and_pad, "B": _project}


def resnet20(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str = "resnet20",
) -> keras.Model:
    """Build ResNet-20: 269,722 trainable parameters; arguments as in `resnet`.

    >>> resnet20(width=2).name
    'resnet20'
    """
    return resnet(20, input_shape, num_classes, shortcut, width, name)


def resnet32(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str = "resnet32",
) -> keras.Model:
    """Build ResNet-32: 464,154 trainable parameters; arguments as in `resnet`.

    >>> resnet32(width=2).name
    'resnet32'
    """
    return resnet(32, input_shape, num_classes, shortcut, width, name)


def resnet44(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str = "resnet44",
) -> keras.Model:
    """Build ResNet-44: 658,586 trainable parameters; arguments as in `resnet`.

    >>> resnet44(width=2).name
    'resnet44'
    """
    return resnet(44, input_shape, num_classes, shortcut, width, name)


def resnet56(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str = "resnet56",
) -> keras.Model:
    """Build ResNet-56: 853,018 trainable parameters; arguments as in `resnet`.

    >>> resnet56(width=2).name
    'resnet56'
    """
    return resnet(56, input_shape, num_classes, shortcut, width, name)


def resnet110(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    shortcut: str = "A",
    width: int = 16,
    name: str = "resnet110",
) -> keras.Model:
    """Build ResNet-110: 1,727,962 trainable parameters; arguments as in `resnet`.

    >>> resnet110(width=2).name
    'resnet110'
    """
    return resnet(110, input_shape, num_classes, shortcut, width, name)
