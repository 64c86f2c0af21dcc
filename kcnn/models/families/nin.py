"""Network in Network: 1x1 convolutions between the others, and no dense layer."""

from typing import Any

import keras

from kcnn.models import blocks


def nin(  # noqa: PLR0913  one argument per choice
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    batch_norm: bool = False,
    dropout: float = 0.5,
    width: int = 192,
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str = "nin",
) -> keras.Sequential:
    """Build Network in Network for CIFAR: where 1x1 convolutions and global pooling come from.

    Three blocks, each of one convolution (5x5, 5x5, 3x3) and two 1x1 convolutions, which act as a
    small perceptron over the channels of every pixel. The last convolution makes one map per class;
    the average of a map is the logit. As in the paper, the activation comes before the average, so
    with ReLU no logit is negative. Between the blocks are overlapping 3x3 poolings with strides of
    2 (max, then average) and dropout. 966,986 trainable parameters.

    Paper: Lin et al., "Network In Network" (2013), https://arxiv.org/abs/1312.4400.

    Args:
        input_shape: (height, width, channels), at least 4x4 pixels.
        num_classes: number of logits.
        batch_norm: whether batch norm follows every convolution; the paper is older and has none.
        dropout: share of a pooling's outputs to drop in training.
        width: filters of the widest convolutions; the others have 5/6 and 1/2 of it.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> nin(width=12).get_layer("block3_conv3").output.shape
    (None, 8, 8, 10)
    """
    image = blocks.image_input(input_shape, minimum_size=4)
    blocks.check_flag("batch_norm", batch_norm)
    blocks.check_count("width", width, minimum=2)
    blocks.check_count("num_classes", num_classes, minimum=2)
    style: dict[str, Any] = {
        "activation": activation,
        "initializer": initializer,
        "normalized": batch_norm,
    }
    # The paper does not give the initial values. With a bias of 0 on the map of a class, ReLU may
    # be zero for all images at the start, and then no gradient ever changes that.
    last: dict[str, Any] = style | {"bias_initializer": "ones"}
    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], normalization, padding=2),
            # The image is padded before it is normalized: see `blocks.normalize`.
            *_conv(width, 5, "block1_conv1", padding="valid", **style),
            *_conv(width * 5 // 6, 1, "block1_conv2", **style),
            *_conv(width // 2, 1, "block1_conv3", **style),
            *_pool("max", "block1", dropout, activation),
            *_conv(width, 5, "block2_conv1", **style),
            *_conv(width, 1, "block2_conv2", **style),
            *_conv(width, 1, "block2_conv3", **style),
            *_pool("average", "block2", dropout, activation),
            *_conv(width, 3, "block3_conv1", **style),
            *_conv(width, 1, "block3_conv2", **style),
            *_conv(num_classes, 1, "block3_conv3", **last),
            # float32 also under a mixed precision policy: the loss needs it.
            keras.layers.GlobalAveragePooling2D(dtype="float32", name="logits"),
        ],
        name=name,
    )


def _conv(filters: int, kernel_size: int, name: str, **options: Any) -> list[keras.layers.Layer]:
    return blocks.conv_block(filters, kernel_size, name=name, use_bias=True, **options)


def _pool(kind: str, name: str, dropout: float, activation: str) -> list[keras.layers.Layer]:
    return [
        *blocks.pool(kind, 3, strides=2, padding="same", name=f"{name}_pool"),
        blocks.dropout(dropout, name=f"{name}_dropout", activation=activation),
    ]
