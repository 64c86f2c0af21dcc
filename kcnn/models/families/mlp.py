"""The multilayer perceptron: the network without convolutions to compare a CNN with."""

from typing import Any

import keras

from kcnn.models import blocks


def mlp(  # noqa: PLR0913  one argument per choice
    input_shape: tuple[int, ...] = (32, 32, 3),
    num_classes: int = 10,
    units: int = 512,
    depth: int = 2,
    activation: str = "relu",
    initializer: blocks.Initializer = "auto",
    dropout: float = 0.2,
    normalization: blocks.Scaling = "auto",
    name: str = "mlp",
) -> keras.Sequential:
    """Build a multilayer perceptron: flattened pixels, hidden dense layers, logits.

    Use it as the baseline that shows what convolutions are worth. Each unit of the first layer has
    a weight for every pixel, so the network has more parameters than most others here, and an image
    shifted by one pixel is a different input. 1,841,162 trainable parameters.

    Paper: Rumelhart et al., "Learning representations by back-propagating errors" (1986),
    https://doi.org/10.1038/323533a0.

    Args:
        input_shape: (steps, channels), (height, width, channels) or (depth, height, width,
            channels).
        num_classes: number of logits.
        units: of every hidden layer.
        depth: hidden layers.
        activation: one of `kcnn.models.blocks.ACTIVATIONS`.
        initializer: as in `kcnn.models.blocks.initializer`.
        dropout: share of every hidden layer's units to drop in training.
        normalization: how the network scales its pixels, as in `kcnn.models.blocks.normalize`.
        name: of the model.

    Raises:
        ValueError: an argument is unknown or out of its range.

    >>> mlp(units=64, depth=1).count_params()
    197322
    """
    image = blocks.image_input(input_shape, minimum_size=1, ranks=(1, 2, 3))
    blocks.check_count("units", units)
    blocks.check_count("depth", depth)
    style: dict[str, Any] = {
        "activation": activation,
        "initializer": initializer,
        "dropout": dropout,
    }
    hidden = [
        layer
        for number in range(1, depth + 1)
        for layer in blocks.dense_block(units, name=f"dense{number}", **style)
    ]
    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], normalization, padding=0, rank=len(image.shape) - 2),
            keras.layers.Flatten(name="flatten"),
            *hidden,
            blocks.logits(num_classes),
        ],
        name=name,
    )
