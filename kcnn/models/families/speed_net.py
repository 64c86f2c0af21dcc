"""The network that reaches 94 % on CIFAR-10 with little arithmetic."""

from typing import Any

import keras
import numpy as np

from kcnn.layers import BatchNormalization
from kcnn.models import blocks

# Of the moving averages: the paper's runs have only some 500 steps.
_MOMENTUM = 0.6
# The paper's is 1e-12; TensorFlow's fused kernel takes nothing below 1.001e-5.
_EPSILON = 2e-5
_TEMPERATURE = 9.0
_ACTIVATION = "gelu"
# PyTorch's default, which the paper keeps: uniform within 1 / sqrt(fan in).
_UNIFORM: dict[str, Any] = {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"}


def speed_net(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    width: int = 64,
    multiple: int = 4,
    normalization: blocks.Scaling = "auto",
    name: str = "speed_net",
) -> keras.Model:
    """Build the network of airbench, which holds speed records on CIFAR-10.

    Use it where the time to a good accuracy counts: `kcnn run speedrun94`. A 2x2 convolution that
    whitens (see `kcnn.models.whiten`), three groups of convolution, max pooling, batch norm, GELU,
    convolution, batch norm and GELU, then the maximum of each map and a dense layer without bias.
    The first filters of each 3x3 convolution start as the identity: each passes one input channel
    on. 1,971,640 trainable parameters with a width of 64 and a multiple of 4 (airbench94); (64, 2)
    is airbench93's network, (128, 3) airbench95's. The paper divides the logits by 9; this network
    divides the inputs of the last layer instead.

    Paper: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024),
    https://arxiv.org/abs/2404.00498.

    Args:
        input_shape: (height, width, channels), at least 9x9 pixels.
        num_classes: number of logits.
        width: filters of the first group.
        multiple: the other two groups have this many times as many filters.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> speed_net(multiple=2).count_params()
    570296
    """
    blocks.check_count("width", width)
    blocks.check_count("multiple", multiple)
    blocks.check_count("num_classes", num_classes, minimum=2)
    image = blocks.image_input(input_shape, minimum_size=9)
    channels = image.shape[-1]
    x = blocks.apply(blocks.normalize(channels, normalization, padding=0), image)
    # One filter for each eigenvector of the pixels of a patch, and one for its opposite.
    whiten = blocks.conv(
        2 * 4 * channels, 2, padding="valid", use_bias=True, initializer=_uniform(), name="whiten"
    )
    x = blocks.apply([*whiten, *blocks.activation(_ACTIVATION, name="whiten")], x)
    for group, filters in enumerate((width, width * multiple, width * multiple), start=1):
        for number in (1, 2):
            title = f"group{group}_conv{number}"
            x = _identity_conv(filters, title, x)
            if number == 1:
                x = blocks.apply(blocks.pool("max", name=f"group{group}_pool"), x)
            x = blocks.apply([_batch_norm(title), *blocks.activation(_ACTIVATION, name=title)], x)
    x = blocks.apply(blocks.global_pool("max", name="pool"), x)
    x = keras.layers.Rescaling(1 / _TEMPERATURE, name="temperature")(x)
    logits = keras.layers.Dense(
        num_classes,
        use_bias=False,
        kernel_initializer=_uniform(),
        dtype="float32",
        name="logits",
    )
    return keras.Model(image, logits(x), name=name)


def _uniform() -> Any:
    return keras.initializers.VarianceScaling(**_UNIFORM)


def _batch_norm(name: str) -> keras.layers.BatchNormalization:
    return BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, scale=False, name=f"{name}_bn")


def _identity_conv(filters: int, name: str, x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a 3x3 convolution whose first filters pass one input channel on each.

    The kernel is assigned rather than initialized: Keras has no such initializer, and plain Keras
    could not load the file of a model with one of kcnn.
    """
    layer: Any
    (layer,) = blocks.conv(filters, 3, initializer=_uniform(), name=name)
    outputs = layer(x)
    kernel = np.array(layer.kernel)
    passed = min(kernel.shape[2:])
    kernel[..., :passed] = 0
    kernel[1, 1, range(passed), range(passed)] = 1
    layer.kernel.assign(kernel)
    return outputs
