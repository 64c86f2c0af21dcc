"""ResNet-8, the residual network that benchmarks of microcontrollers use."""

from typing import Any

import keras

from kcnn.models import blocks


def resnet8(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    width: int = 16,
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str = "resnet8",
) -> keras.Model:
    """Build ResNet-8, the image classification network of the benchmark MLPerf Tiny.

    Use it to compare with results published for phones and microcontrollers. A 3x3 convolution,
    three residual units, global average pooling and the logits. It differs from
    `kcnn.models.families.resnet` at a depth of 8: every convolution has a bias, and the second and
    third unit project their shortcut with a 1x1 convolution without batch norm. 78,186 trainable
    parameters, 78,666 with the batch norms' moving averages. One thing differs from the benchmark:
    its network reads raw pixels, this one normalizes them first, which export folds away.

    Paper: Banbury et al., "MLPerf Tiny Benchmark" (2021), https://arxiv.org/abs/2106.07597; exact
    layers: https://github.com/mlcommons/tiny, image_classification/keras_model.py.

    Args:
        input_shape: (height, width, channels), at least 4x4 pixels.
        num_classes: number of logits.
        width: filters of the first unit; the second has 2 times, the third 4 times as many.
            The benchmark's larger network has a width of 40.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> resnet8().count_params()
    78666
    """
    blocks.check_count("width", width)
    image = blocks.image_input(input_shape, minimum_size=4)
    logits = blocks.logits(num_classes)
    kernel = blocks.initializer(initializer, activation)
    options: dict[str, Any] = {"use_bias": True, "initializer": kernel}

    def unit(x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
        first = blocks.conv_block(
            filters, 3, strides=strides, activation=activation, name=f"{name}_conv1", **options
        )
        second = blocks.conv_bn(filters, 3, name=f"{name}_conv2", **options)
        residual = blocks.apply([*first, *second], x)
        if strides > 1:
            project = blocks.conv(filters, 1, strides=strides, name=f"{name}_project", **options)
            x = blocks.apply(project, x)
        x = keras.layers.Add(name=f"{name}_add")([x, residual])
        return blocks.apply(blocks.activation(activation, name=name), x)

    x = blocks.apply(blocks.normalize(image.shape[-1], normalization, padding=1), image)
    # The image is padded before it is normalized: see `blocks.normalize`.
    stem = blocks.conv_block(
        width, 3, padding="valid", activation=activation, name="stem_conv", **options
    )
    x = blocks.apply(stem, x)
    x = unit(x, width, 1, "stage1_block1")
    x = unit(x, 2 * width, 2, "stage2_block1")
    x = unit(x, 4 * width, 2, "stage3_block1")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, logits(x), name=name)
