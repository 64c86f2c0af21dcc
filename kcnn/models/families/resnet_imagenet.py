"""The residual networks of He et al. 2015, table 1, with a stem for small images or the paper's."""

from typing import Any, TypedDict, Unpack

import keras

from kcnn.errors import unknown
from kcnn.models import blocks

# Depth -> whether units are bottlenecks, and how many of them each stage has.
CONFIGURATIONS = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
}


STEMS = ("cifar", "paper")


class ImageNetResNetOptions(TypedDict, total=False):
    """What `resnet18` and its siblings can change; see `resnet_imagenet` for the defaults."""

    width: int
    stem: str
    activation: str
    initializer: blocks.Initializer
    normalization: blocks.Scaling


def resnet_imagenet(  # noqa: PLR0913  one argument per choice
    depth: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    width: int = 64,
    stem: str = "cifar",
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str | None = None,
) -> keras.Model:
    """Build one of the paper's networks for ImageNet, by default adapted to CIFAR as is usual.

    Use it where accuracy counts more than size. The stem is a single 3x3 convolution: the paper's
    7x7 convolution with strides of 2 and max pooling would leave too few of 32x32 pixels. Take
    `stem="paper"` for photographs: it saves 15 of 16 parts of the arithmetic. Then come four stages
    of residual units, the last three at half the resolution of the one before, global average
    pooling and the logits. A unit has two 3x3 convolutions (depths 18 and 34), or is a bottleneck
    of 1x1, 3x3 and 1x1 (depth 50) with its strides in the 3x3. Where a unit changes the size of its
    input, a 1x1 convolution with batch norm projects the shortcut.

    Paper: He et al., "Deep Residual Learning" (2015), https://arxiv.org/abs/1512.03385.

    Args:
        depth: weight layers: 18, 34 or 50.
        input_shape: (height, width, channels), at least 8x8 pixels, 32x32 with the paper's stem.
        num_classes: number of logits.
        width: filters of the 3x3 convolutions in the first stage; each later stage has twice as
            many as the one before, and a bottleneck ends in 4 times as many.
        stem: "cifar" for a 3x3 convolution, "paper" for one of 7x7 with strides of 2 and max
            pooling of 3x3 with strides of 2.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> resnet_imagenet(50, width=1).get_layer("stage4_block3_relu").output.shape
    (None, 4, 4, 32)
    >>> resnet_imagenet(50, (224, 224, 3), 1000, stem="paper").count_params()
    25610152
    """
    if depth not in CONFIGURATIONS:
        raise unknown("ResNet depth", depth, map(str, CONFIGURATIONS))
    bottleneck, repeats = CONFIGURATIONS[depth]
    blocks.check_count("width", width)
    if stem not in STEMS:
        raise unknown("stem", stem, STEMS)
    image = blocks.image_input(input_shape, minimum_size=32 if stem == "paper" else 8)
    logits = blocks.logits(num_classes)
    kernel = blocks.initializer(initializer, activation)
    style: dict[str, Any] = {"activation": activation, "initializer": kernel}
    size, strides = (7, 2) if stem == "paper" else (3, 1)
    # The image is padded before it is normalized: see `blocks.normalize`.
    scaled = blocks.normalize(image.shape[-1], normalization, padding=size // 2)
    first = blocks.conv_block(
        width, size, strides=strides, padding="valid", name="stem_conv", **style
    )
    x = blocks.apply([*scaled, *first], image)
    if stem == "paper":
        x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, count in enumerate(repeats):
        filters = width * 2**stage
        for block in range(count):
            strides = 2 if stage > 0 and block == 0 else 1
            path = [(filters, 3, strides), (filters, 3, 1)]
            if bottleneck:
                path = [(filters, 1, 1), (filters, 3, strides), (4 * filters, 1, 1)]
            x = _unit(x, path, f"stage{stage + 1}_block{block + 1}", **style)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, logits(x), name=name or f"resnet{depth}")


def _unit(
    x: keras.KerasTensor,
    path: list[tuple[int, int, int]],
    name: str,
    activation: str,
    initializer: keras.initializers.Initializer,
) -> keras.KerasTensor:
    """Add the convolutions of `path` (filters, kernel size, strides) to the shortcut."""
    layers: list[keras.layers.Layer] = []
    total_strides = 1
    for number, (filters, kernel_size, strides) in enumerate(path, start=1):
        piece = f"{name}_conv{number}"
        layers += blocks.conv_bn(
            filters, kernel_size, strides=strides, initializer=initializer, name=piece
        )
        if number < len(path):
            layers += blocks.activation(activation, name=piece)
        total_strides *= strides
    residual = blocks.apply(layers, x)
    if x.shape != residual.shape:
        project = blocks.conv_bn(
            residual.shape[-1],
            1,
            strides=total_strides,
            initializer=initializer,
            name=f"{name}_project",
        )
        x = blocks.apply(project, x)
    x = keras.layers.Add(name=f"{name}_add")([x, residual])
    return blocks.apply(blocks.activation(activation, name=name), x)


def resnet18(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet18",
    **options: Unpack[ImageNetResNetOptions],
) -> keras.Model:
    """Build ResNet-18: 11,173,962 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see
    `kcnn.models.families.resnet_imagenet.resnet_imagenet`.
    """
    return resnet_imagenet(18, input_shape, num_classes, name=name, **options)


def resnet34(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet34",
    **options: Unpack[ImageNetResNetOptions],
) -> keras.Model:
    """Build ResNet-34: 21,282,122 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see
    `kcnn.models.families.resnet_imagenet.resnet_imagenet`.
    """
    return resnet_imagenet(34, input_shape, num_classes, name=name, **options)


def resnet50(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    *,
    name: str = "resnet50",
    **options: Unpack[ImageNetResNetOptions],
) -> keras.Model:
    """Build ResNet-50: 23,520,842 trainable parameters by default.

    Paper (He et al. 2015), options and errors: see
    `kcnn.models.families.resnet_imagenet.resnet_imagenet`.
    """
    return resnet_imagenet(50, input_shape, num_classes, name=name, **options)
