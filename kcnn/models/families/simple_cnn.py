"""A first convolutional network: two convolutions and a hidden dense layer."""

import keras

from kcnn.models import blocks


def simple_cnn(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    spatial_dropout: float = 0.25,
    dropout: float = 0.5,
    name: str = "simple_cnn",
) -> keras.Sequential:
    """Build the network to start with: small, quick to train, easy to read.

    Twice convolution - batch norm - ReLU - max pooling - spatial dropout, with 16 and 32 filters
    of 3x3, then a dense layer of 128 and the logits. 268,746 trainable parameters, nearly all of
    them the dense layer's. Images are at least 4x4.

    Raises:
        ValueError: an argument is out of its range.

    >>> simple_cnn().output_shape
    (None, 10)
    """
    image = blocks.image_input(input_shape, minimum_size=4)
    blocks.check_rate("spatial_dropout", spatial_dropout)
    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], padding=1),
            *blocks.conv_bn_relu(16, 3, padding="valid", use_bias=True, name="block1_conv"),
            keras.layers.MaxPooling2D(name="block1_pool"),
            keras.layers.SpatialDropout2D(spatial_dropout, name="block1_dropout"),
            *blocks.conv_bn_relu(32, 3, use_bias=True, name="block2_conv"),
            keras.layers.MaxPooling2D(name="block2_pool"),
            keras.layers.SpatialDropout2D(spatial_dropout, name="block2_dropout"),
            keras.layers.Flatten(name="flatten"),
            *blocks.dense_relu(128, name="dense"),
            blocks.dropout(dropout, name="dropout"),
            blocks.logits(num_classes),
        ],
        name=name,
    )
