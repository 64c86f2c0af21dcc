"""AlexNet, as in the paper and for images as small as CIFAR's."""

from typing import Any

import keras

from kcnn.errors import unknown
from kcnn.layers import LocalResponseNormalization
from kcnn.models import blocks

VARIANTS = ("cifar", "paper")


def alexnet(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    variant: str = "cifar",
    dropout: float = 0.5,
    dense_units: int | None = None,
    normalization: blocks.Scaling = "auto",
    name: str = "alexnet",
) -> keras.Model:
    """Build AlexNet: five convolutions, overlapping pooling, two hidden dense layers with dropout.

    In both variants the convolutions have 96, 256, 384, 384 and 256 filters; the second, fourth
    and fifth have two groups, because the paper's authors split the network over two graphics
    cards. ReLU, local response normalization and 3x3 max pooling with strides of 2 follow the first
    and the second convolution in this order; such a pooling also follows the fifth. A grouped
    convolution is `kcnn.models.blocks.grouped_conv`, which trains faster than that of Keras.

    "paper" is for 227x227 pixels (the paper says 224, but its own numbers only fit 227): a first
    convolution of 11x11 with strides of 4 and no padding, dense layers of 4,096 units; 60,965,224
    parameters for 1,000 classes. All layers but the logits are initialized as in the paper. Images
    are at least 67x67.

    "cifar" is for 32x32 pixels: a first convolution of 5x5 without strides, dense layers of 1,024
    units, He initialization; 5,726,602 parameters for 10 classes. Images are at least 15x15.

    Paper: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks"
    (2012).

    Args:
        input_shape: (height, width, channels).
        num_classes: number of logits.
        variant: "cifar" or "paper".
        dropout: share of the units of both hidden dense layers to drop in training.
        dense_units: of each hidden dense layer; None for the variant's default.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is out of its range.

    >>> alexnet(dense_units=64).get_layer("pool5").output.shape
    (None, 3, 3, 256)
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    paper = variant == "paper"
    if dense_units is None:
        dense_units = 4096 if paper else 1024
    blocks.check_count("dense_units", dense_units)
    image = blocks.image_input(input_shape, minimum_size=67 if paper else 15)
    stem = blocks.normalize(image.shape[-1], normalization, padding=0 if paper else 2)
    x = blocks.apply(stem, image)
    size, strides = (11, 4) if paper else (5, 1)
    x = _conv(x, 96, size, name="conv1", paper=paper, strides=strides, padding="valid")
    x = _overlapping_pool(_response_norm(x, "conv1"), "pool1")
    x = _conv(x, 256, 5, groups=2, name="conv2", paper=paper)
    x = _overlapping_pool(_response_norm(x, "conv2"), "pool2")
    x = _conv(x, 384, 3, name="conv3", paper=paper)
    x = _conv(x, 384, 3, groups=2, name="conv4", paper=paper)
    x = _conv(x, 256, 3, groups=2, name="conv5", paper=paper)
    x = _overlapping_pool(x, "pool5")
    x = keras.layers.Flatten(name="flatten")(x)
    for dense in ("dense1", "dense2"):
        kernel, bias = _initializers(dense, paper)
        x = keras.layers.Dense(
            dense_units, kernel_initializer=kernel, bias_initializer=bias, name=dense
        )(x)
        x = blocks.apply(blocks.activation("relu", name=dense), x)
        x = blocks.dropout(dropout, name=f"{dense}_dropout")(x)
    return keras.Model(image, blocks.logits(num_classes)(x), name=name)


def _initializers(name: str, paper: bool) -> tuple[Any, str]:
    """Return descriptions of the initializers of the kernel and of the bias of layer `name`.

    A single initializer object for both groups of a convolution would draw the same numbers twice.
    """
    if not paper:
        return "he_normal", "zeros"
    kernel = {"class_name": "RandomNormal", "config": {"stddev": 0.01}}
    return kernel, "zeros" if name in ("conv1", "conv3") else "ones"


def _conv(
    x: keras.KerasTensor, filters: int, size: int, *, name: str, paper: bool, **options: Any
) -> keras.KerasTensor:
    kernel, bias = _initializers(name, paper)
    options |= {"use_bias": True, "initializer": kernel, "bias_initializer": bias}
    if "groups" in options:
        x = blocks.grouped_conv(x, filters, size, name=name, **options)
    else:
        x = blocks.apply(blocks.conv(filters, size, name=name, **options), x)
    return blocks.apply(blocks.activation("relu", name=name), x)


def _response_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    layer = LocalResponseNormalization(
        depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75, name=f"{name}_lrn"
    )
    return layer(x)


def _overlapping_pool(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return blocks.apply(blocks.pool("max", 3, strides=2, name=name), x)
