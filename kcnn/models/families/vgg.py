"""VGG: stacks of 3x3 convolutions (Simonyan and Zisserman 2014), with a head for small images."""

import keras

from kcnn.errors import unknown
from kcnn.models import blocks

# Weight layers -> convolutions in each of the five blocks. The paper's table 1 calls the rows
# A, B, D and E; C differs from D by its 1x1 convolutions and is not used.
CONFIGURATIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

# Filters of the five blocks, in multiples of the first one's.
MULTIPLES = (1, 2, 4, 8, 8)


def vgg(
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    name: str | None = None,
) -> keras.Sequential:
    """Build the VGG of `depth` weight layers as the paper counts them: 11, 13, 16 or 19.

    Five blocks of 3x3 convolutions and a 2x2 max pooling each, with `width` filters in the first
    block and up to 8 times as many in the last. The head is the one in use for CIFAR: global
    average pooling (of the one pixel that 32x32 leaves), dropout and a single dense layer, where
    the paper has three of 4,096, 4,096 and 1,000. `batch_norm` puts batch norm after every
    convolution; the paper, older than it, has none. Images are at least 32x32.

    Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2014),
    https://arxiv.org/abs/1409.1556.

    Raises:
        ValueError: an argument is out of its range.

    >>> vgg(11, width=8).get_layer("block5_conv2").filters
    64
    """
    if depth not in CONFIGURATIONS:
        raise unknown("VGG depth", depth, map(str, CONFIGURATIONS))
    if not isinstance(batch_norm, bool):
        raise ValueError(f"batch_norm must be True or False. Received: batch_norm={batch_norm!r}")
    blocks.check_count("width", width, minimum=1)
    image = blocks.image_input(input_shape, minimum_size=32)
    layers = [image, *blocks.normalize(image.shape[-1], padding=1)]
    for block, repeats in enumerate(CONFIGURATIONS[depth], start=1):
        for number in range(1, repeats + 1):
            # The image is padded before it is normalised: see `blocks.normalize`.
            padding = "valid" if block == number == 1 else "same"
            conv_name = f"block{block}_conv{number}"
            layers += _conv(width * MULTIPLES[block - 1], padding, batch_norm, conv_name)
        layers.append(keras.layers.MaxPooling2D(name=f"block{block}_pool"))
    layers += [
        keras.layers.GlobalAveragePooling2D(name="pool"),
        blocks.dropout(dropout, name="dropout"),
        blocks.logits(num_classes),
    ]
    return keras.Sequential(layers, name=name or f"vgg{depth}")


def _conv(filters: int, padding: str, batch_norm: bool, name: str) -> list[keras.layers.Layer]:
    # The bias, idle before a batch norm, is kept: published parameter counts include it.
    conv = blocks.conv(filters, 3, padding=padding, use_bias=True, name=name)
    return [conv, *([blocks.batch_norm(name)] if batch_norm else []), blocks.relu(name)]


def vgg11(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    name: str = "vgg11",
) -> keras.Sequential:
    """Build VGG-11, configuration A: 9,231,114 trainable parameters; arguments as in `vgg`.

    >>> vgg11(width=4).name
    'vgg11'
    """
    return vgg(11, input_shape, num_classes, batch_norm, dropout, width, name)


def vgg13(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    name: str = "vgg13",
) -> keras.Sequential:
    """Build VGG-13, configuration B: 9,416,010 trainable parameters; arguments as in `vgg`.

    >>> vgg13(width=4).name
    'vgg13'
    """
    return vgg(13, input_shape, num_classes, batch_norm, dropout, width, name)


def vgg16(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    name: str = "vgg16",
) -> keras.Sequential:
    """Build VGG-16, configuration D: 14,728,266 trainable parameters; arguments as in `vgg`.

    >>> vgg16(width=4).name
    'vgg16'
    """
    return vgg(16, input_shape, num_classes, batch_norm, dropout, width, name)


def vgg19(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    name: str = "vgg19",
) -> keras.Sequential:
    """Build VGG-19, configuration E: 20,040,522 trainable parameters; arguments as in `vgg`.

    >>> vgg19(width=4).name
    'vgg19'
    """
    return vgg(19, input_shape, num_classes, batch_norm, dropout, width, name)
