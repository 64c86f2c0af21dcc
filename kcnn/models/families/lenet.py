"""LeNet-5, the first convolutional network in wide use."""

from typing import Any

import keras

from kcnn.errors import unknown
from kcnn.layers import PartiallyConnectedConv2D
from kcnn.models import blocks

VARIANTS = ("paper", "modern")

# Table I: which of the six maps of S2 each of the sixteen maps of C3 sees; 60 links.
C3_CONNECTIONS = (
    *[(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)],
    *[(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)],
    *[(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)],
    (0, 1, 2, 3, 4, 5),
)


def lenet5(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    variant: str = "paper",
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    normalization: blocks.Scaling = "auto",
    name: str = "lenet5",
) -> keras.Sequential:
    """Build LeNet-5, as in the paper or as it is taught today.

    Layers have the paper's names: convolutions C1 (6 filters of 5x5) and C3 (16 of 5x5), both
    without padding, each followed by a subsampling (S2, S4); C5 (120 units) and F6 (84), which are
    dense layers since S4 is 5x5; then the logits.

    "paper": S2 and S4 give each map a trainable coefficient and bias (of the average of the 2x2
    pixels, not of their sum: the coefficient is four times the paper's), each map of C3 sees only
    some maps of S2 (table I), and the scaled tanh follows every layer. 60,000 trainable parameters
    up to F6 for gray images, 60,300 for RGB. Two things differ from the paper: the logits are a
    dense layer (the paper's radial basis units compare with hand-drawn bitmaps of the ten digits),
    and the weights start as in its authors' "Efficient BackProp" of the same year (C3's as if it
    saw all maps).

    "modern": max pooling, a C3 that sees all maps, ReLU or another activation. 62,006 trainable
    parameters for RGB and 10 classes.

    Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998),
    https://doi.org/10.1109/5.726791.

    Args:
        input_shape: (height, width, channels), at least 16x16 pixels.
        num_classes: number of logits.
        variant: "paper" or "modern".
        activation: for the modern variant only, one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: for the modern variant only, as in `kcnn.models.blocks.initializer`.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is out of its range, or the variant has no such option.

    >>> lenet5((32, 32, 1)).get_layer("c3").count_params()
    1516
    >>> lenet5(variant="modern").count_params()
    62006
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    if variant == "modern":
        body = _modern(activation, initializer)
    elif (activation, initializer) == ("relu", "auto"):
        body = _paper()
    else:
        raise ValueError(
            "activation and initializer are options of variant='modern'; the paper's are fixed. "
            f"Received: activation={activation!r}, initializer={initializer!r}"
        )
    image = blocks.image_input(input_shape, minimum_size=16)
    stem = blocks.normalize(image.shape[-1], normalization, padding=0)
    return keras.Sequential([image, *stem, *body, blocks.logits(num_classes)], name=name)


def _paper() -> list[keras.layers.Layer]:
    c3 = PartiallyConnectedConv2D(C3_CONNECTIONS, 5, kernel_initializer="lecun_normal", name="c3")
    return [
        *blocks.conv(6, 5, padding="valid", use_bias=True, initializer="lecun_normal", name="c1"),
        *blocks.scaled_tanh("c1"),
        *_subsampling("s2"),
        c3,
        *blocks.scaled_tanh("c3"),
        *_subsampling("s4"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(120, kernel_initializer="lecun_normal", name="c5"),
        *blocks.scaled_tanh("c5"),
        keras.layers.Dense(84, kernel_initializer="lecun_normal", name="f6"),
        *blocks.scaled_tanh("f6"),
    ]


def _subsampling(name: str) -> list[keras.layers.Layer]:
    return [
        *blocks.pool("average", name=f"{name}_average"),
        # A coefficient and a bias for each map.
        keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones", name=name),
        *blocks.scaled_tanh(name),
    ]


def _modern(activation: str, initializer: blocks.Initializer) -> list[keras.layers.Layer]:
    shared: dict[str, Any] = {"activation": activation, "initializer": initializer}
    conv: dict[str, Any] = {"padding": "valid", "use_bias": True, "normalized": False}
    return [
        *blocks.conv_block(6, 5, name="c1", **conv, **shared),
        *blocks.pool("max", name="s2"),
        *blocks.conv_block(16, 5, name="c3", **conv, **shared),
        *blocks.pool("max", name="s4"),
        keras.layers.Flatten(name="flatten"),
        *blocks.dense_block(120, name="c5", **shared),
        *blocks.dense_block(84, name="f6", **shared),
    ]
