"""AlexNet, cut to the size of CIFAR images."""

import keras

from kcnn.models import blocks


def alexnet(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    dropout: float = 0.5,
    dense_units: int = 1024,
    name: str = "alexnet",
) -> keras.Sequential:
    """Build AlexNet for small images: the paper's five convolutions and overlapping pooling.

    The filters are the paper's (96, 256, 384, 384, 256) and so are the 3x3 max poolings with
    strides of 2 after the first, second and fifth convolution and the dropout of both hidden
    dense layers. Three things differ. The first convolution is 5x5 without strides, not 11x11
    with strides of 4: 32x32 pixels have none to spare. The dense layers have 1,024 units, not
    4,096. Batch norm after every convolution stands in for the paper's local response
    normalisation after two of them, and no convolution is cut into two groups.

    7,141,098 trainable parameters. Images are at least 15x15.

    Paper: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks"
    (2012).

    Raises:
        ValueError: an argument is out of its range.

    >>> alexnet(dense_units=64).get_layer("pool5").output.shape
    (None, 3, 3, 256)
    """
    image = blocks.image_input(input_shape, minimum_size=15)
    blocks.check_count("dense_units", dense_units, minimum=1)
    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], padding=2),
            *blocks.conv_bn_relu(96, 5, padding="valid", name="conv1"),
            _overlapping_pool("pool1"),
            *blocks.conv_bn_relu(256, 5, name="conv2"),
            _overlapping_pool("pool2"),
            *blocks.conv_bn_relu(384, 3, name="conv3"),
            *blocks.conv_bn_relu(384, 3, name="conv4"),
            *blocks.conv_bn_relu(256, 3, name="conv5"),
            _overlapping_pool("pool5"),
            keras.layers.Flatten(name="flatten"),
            *blocks.dense_relu(dense_units, name="dense1"),
            blocks.dropout(dropout, name="dropout1"),
            *blocks.dense_relu(dense_units, name="dense2"),
            blocks.dropout(dropout, name="dropout2"),
            blocks.logits(num_classes),
        ],
        name=name,
    )


def _overlapping_pool(name: str) -> keras.layers.MaxPooling2D:
    return keras.layers.MaxPooling2D(3, strides=2, name=name)
