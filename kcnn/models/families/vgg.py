"""VGG: stacks of 3x3 convolutions (Simonyan and Zisserman 2014), with two heads to choose from."""

import keras

from kcnn.errors import unknown
from kcnn.models import blocks
from kcnn.models.depths import at_depth

# Weight layers -> convolutions in each of the five blocks. The paper's table 1 calls the rows
# A, B, D and E; C differs from D by its 1x1 convolutions and is not used.
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


def vgg(  # noqa: PLR0913  one argument for each choice there is
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = True,
    dropout: float = 0.5,
    width: int = 64,
    head: str = "cifar",
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    name: str | None = None,
) -> keras.Sequential:
    """Build the VGG of `depth` weight layers as the paper counts them: 11, 13, 16 or 19.

    Five blocks of 3x3 convolutions with a 2x2 max pooling each, then one of two heads. The network
    of the paper is `vgg16((224, 224, 3), 1000, batch_norm=False, head="paper")`: 138,357,544
    parameters.

    Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2014),
    https://arxiv.org/abs/1409.1556.

    Args:
        depth: weight layers with the paper's head: 11, 13, 16 or 19.
        input_shape: (height, width, channels), at least 32x32 pixels.
        num_classes: logits of the answer.
        batch_norm: whether batch norm follows every convolution; the paper, older than it, has
            none.
        dropout: share of the units that is dropped in training: in the head for CIFAR, of the
            pooled maps; in the paper's, of both hidden dense layers.
        width: filters in the first block; the last one has 8 times as many.
        head: "cifar" for the one in use for small images: global average pooling (of the one pixel
            that 32x32 leaves), dropout and a single dense layer; "paper" for the paper's three
            dense layers, two of 64 times `width` (4,096) units and the logits.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
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
    blocks.check_count("width", width, minimum=1)
    image = blocks.image_input(input_shape, minimum_size=32)
    style = {"activation": activation, "initializer": initializer}
    layers = [image, *blocks.normalize(image.shape[-1], padding=1)]
    for block, repeats in enumerate(CONFIGURATIONS[depth], start=1):
        for number in range(1, repeats + 1):
            layers += blocks.conv_block(
                width * MULTIPLES[block - 1],
                3,
                # The image is padded before it is normalised: see `blocks.normalize`.
                padding="valid" if block == number == 1 else "same",
                # Idle before a batch norm, but published parameter counts include it.
                use_bias=True,
                normalized=batch_norm,
                name=f"block{block}_conv{number}",
                **style,
            )
        layers += blocks.pool("max", name=f"block{block}_pool")
    layers += [*HEADS[head](width, dropout, style), blocks.logits(num_classes)]
    return keras.Sequential(layers, name=name or f"vgg{depth}")


def _cifar_head(width: int, dropout: float, style: dict) -> list[keras.layers.Layer]:
    return [
        *blocks.global_pool("average", name="pool"),
        blocks.dropout(dropout, name="dropout", activation=style["activation"]),
    ]


def _paper_head(width: int, dropout: float, style: dict) -> list[keras.layers.Layer]:
    units = width * DENSE_MULTIPLE
    return [
        keras.layers.Flatten(name="flatten"),
        *blocks.dense_block(units, dropout=dropout, name="dense1", **style),
        *blocks.dense_block(units, dropout=dropout, name="dense2", **style),
    ]


HEADS = {"cifar": _cifar_head, "paper": _paper_head}

vgg11 = at_depth(
    vgg, 11, "vgg11", "Build VGG-11, configuration A: 9,231,114 trainable parameters by default."
)
vgg13 = at_depth(
    vgg, 13, "vgg13", "Build VGG-13, configuration B: 9,416,010 trainable parameters by default."
)
vgg16 = at_depth(
    vgg, 16, "vgg16", "Build VGG-16, configuration D: 14,728,266 trainable parameters by default."
)
vgg19 = at_depth(
    vgg, 19, "vgg19", "Build VGG-19, configuration E: 20,040,522 trainable parameters by default."
)
