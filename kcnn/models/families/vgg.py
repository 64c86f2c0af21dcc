"""VGG: stacks of 3x3 convolutions (Simonyan and Zisserman 2014), with a choice of two heads."""

from typing import Any, TypedDict, Unpack

import keras

from kcnn.errors import unknown
from kcnn.models import blocks

# Weight layers -> convolutions in each of the five blocks. They are configurations A, B, D and E
# of the paper's table 1; C, which differs from D by its 1x1 convolutions, is not in use.
CONFIGURATIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

# Filters of the five blocks and units of the paper's dense layers, in multiples of the first
# block's filters.
MULTIPLES = (1, 2, 4, 8, 8)
DENSE_MULTIPLE = 64


class VGGOptions(TypedDict, total=False):
    """What `vgg16` and its siblings can change; see `vgg` for the defaults."""

    batch_norm: bool
    dropout: float
    width: int
    head: str
    activation: str
    initializer: blocks.Initializer
    normalization: blocks.Scaling


def vgg(  # noqa: PLR0913  one argument per choice
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    head: str = "cifar",
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str | None = None,
) -> keras.Sequential:
    """Build the VGG of `depth` weight layers as the paper counts them: 11, 13, 16 or 19.

    Five blocks of 3x3 convolutions, each followed by a 2x2 max pooling, then one of two heads. The
    paper's network is `vgg16((224, 224, 3), 1000, batch_norm=False, head="paper")`: 138,357,544
    parameters.

    Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2014),
    https://arxiv.org/abs/1409.1556.

    Args:
        depth: weight layers with the paper's head: 11, 13, 16 or 19.
        input_shape: (height, width, channels), at least 32x32 pixels.
        num_classes: number of logits.
        batch_norm: whether batch norm follows every convolution; the paper is older and has none.
        dropout: share of the units to drop in training: of the pooled maps with the head "cifar",
            of both hidden dense layers with the head "paper".
        width: filters in the first block; the last one has 8 times as many.
        head: "cifar", usual for small images: global average pooling (32x32 pixels leave a single
            one), dropout and one dense layer; or "paper": three dense layers, two of 64 times
            `width` (4,096) units and the logits.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> vgg(11, width=8).get_layer("block5_conv2").filters
    64
    """
    if depth not in CONFIGURATIONS:
        raise unknown("VGG depth", depth, map(str, CONFIGURATIONS))
    if head not in HEADS:
        raise unknown("head", head, HEADS)
    blocks.check_flag("batch_norm", batch_norm)
    blocks.check_count("width", width)
    image = blocks.image_input(input_shape, minimum_size=32)
    style: dict[str, Any] = {"activation": activation, "initializer": initializer}
    layers: list[Any] = [image, *blocks.normalize(image.shape[-1], normalization, padding=1)]
    for block, repeats in enumerate(CONFIGURATIONS[depth], start=1):
        for number in range(1, repeats + 1):
            layers += blocks.conv_block(
                width * MULTIPLES[block - 1],
                3,
                # The image is padded before it is normalized: see `blocks.normalize`.
                padding="valid" if block == number == 1 else "same",
                # Has no effect before a batch norm, but published parameter counts include it.
                use_bias=True,
                normalized=batch_norm,
                name=f"block{block}_conv{number}",
                **style,
            )
        layers += blocks.pool("max", name=f"block{block}_pool")
    layers += [*HEADS[head](width, dropout, style), blocks.logits(num_classes)]
    return keras.Sequential(layers, name=name or f"vgg{depth}")


def _cifar_head(width: int, dropout: float, style: dict[str, Any]) -> list[keras.layers.Layer]:
    return [
        *blocks.global_pool("average", name="pool"),
        blocks.dropout(dropout, name="dropout", activation=style["activation"]),
    ]


def _paper_head(width: int, dropout: float, style: dict[str, Any]) -> list[keras.layers.Layer]:
    units = width * DENSE_MULTIPLE
    return [
        keras.layers.Flatten(name="flatten"),
        *blocks.dense_block(units, dropout=dropout, name="dense1", **style),
        *blocks.dense_block(units, dropout=dropout, name="dense2", **style),
    ]


HEADS = {"cifar": _cifar_head, "paper": _paper_head}


def vgg11(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "vgg11",
    **options: Unpack[VGGOptions],
) -> keras.Sequential:
    """Build VGG-11, the paper's configuration A: 9,231,114 trainable parameters by default.

    Paper (Simonyan and Zisserman 2014), options and errors: see `kcnn.models.families.vgg.vgg`.
    """
    return vgg(11, input_shape, num_classes, name=name, **options)


def vgg13(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "vgg13",
    **options: Unpack[VGGOptions],
) -> keras.Sequential:
    """Build VGG-13, the paper's configuration B: 9,416,010 trainable parameters by default.

    Paper (Simonyan and Zisserman 2014), options and errors: see `kcnn.models.families.vgg.vgg`.
    """
    return vgg(13, input_shape, num_classes, name=name, **options)


def vgg16(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "vgg16",
    **options: Unpack[VGGOptions],
) -> keras.Sequential:
    """Build VGG-16, the paper's configuration D: 14,728,266 trainable parameters by default.

    Paper (Simonyan and Zisserman 2014), options and errors: see `kcnn.models.families.vgg.vgg`.
    """
    return vgg(16, input_shape, num_classes, name=name, **options)


def vgg19(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "vgg19",
    **options: Unpack[VGGOptions],
) -> keras.Sequential:
    """Build VGG-19, the paper's configuration E: 20,040,522 trainable parameters by default.

    Paper (Simonyan and Zisserman 2014), options and errors: see `kcnn.models.families.vgg.vgg`.
    """
    return vgg(19, input_shape, num_classes, name=name, **options)
