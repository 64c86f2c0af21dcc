"""A first convolutional network: two convolutions and a hidden dense layer."""

from typing import Any

import keras

from kcnn.errors import unknown
from kcnn.models import blocks

POOLINGS = ("max", "average", "strides")

_SPATIAL_DROPOUTS = {
    1: keras.layers.SpatialDropout1D,
    2: keras.layers.SpatialDropout2D,
    3: keras.layers.SpatialDropout3D,
}


def simple_cnn(  # noqa: PLR0913  one argument per choice
    input_shape: tuple[int, ...] = (32, 32, 3),
    num_classes: int = 10,
    spatial_dropout: float = 0.25,
    dropout: float = 0.5,
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str = "simple_cnn",
    *,
    pooling: str = "max",
    norm: str = "batch",
) -> keras.Sequential:
    """Build the network to start with: small, quick to train, easy to read.

    Two blocks of convolution, batch norm, activation, max pooling and spatial dropout, with 16 and
    32 filters of 3x3; then a dense layer of 128 units, dropout and the logits. 268,746 trainable
    parameters, nearly all of them in the dense layer.

    Args:
        input_shape: (height, width, channels) of images, (steps, channels) of series or (depth,
            height, width, channels) of voxels, at least 4 along each axis; convolutions and
            poolings are 2D, 1D or 3D to match.
        num_classes: number of logits.
        spatial_dropout: share of the convolutions' maps to drop in training.
        dropout: share of the dense layer's units to drop in training.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.
        pooling: "max", "average", or "strides" for a convolution with strides of 2 in its place
            (Springenberg et al. 2014, https://arxiv.org/abs/1412.6806).
        norm: of the convolutions' maps, one of `kcnn.models.blocks.NORMS`.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> simple_cnn().output_shape
    (None, 10)
    >>> simple_cnn((128, 6)).get_layer("block2_pool").output.shape
    (None, 32, 32)
    """
    image = blocks.image_input(input_shape, minimum_size=4, ranks=(1, 2, 3))
    rank = len(image.shape) - 2
    blocks.check_rate("spatial_dropout", spatial_dropout)
    if pooling not in POOLINGS:
        raise unknown("pooling", pooling, POOLINGS)
    style: dict[str, Any] = {"activation": activation, "initializer": initializer}
    style |= {"rank": rank, "use_bias": True, "normalized": norm}

    def block(filters: int, padding: str, name: str) -> list[keras.layers.Layer]:
        pooled = f"{name}_pool"
        halve = (
            blocks.conv_block(filters, 3, strides=2, name=pooled, **style)
            if pooling == "strides"
            else blocks.pool(pooling, rank=rank, name=pooled)
        )
        return [
            *blocks.conv_block(filters, 3, padding=padding, name=f"{name}_conv", **style),
            *halve,
            _SPATIAL_DROPOUTS[rank](spatial_dropout, name=f"{name}_dropout"),
        ]

    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], normalization, padding=1, rank=rank),
            # The image is padded before it is normalized: see `blocks.normalize`.
            *block(16, "valid", "block1"),
            *block(32, "same", "block2"),
            keras.layers.Flatten(name="flatten"),
            *blocks.dense_block(128, name="dense", activation=activation, initializer=initializer),
            blocks.dropout(dropout, name="dropout", activation=activation),
            blocks.logits(num_classes),
        ],
        name=name,
    )
