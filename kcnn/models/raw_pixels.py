"""A model of raw pixels, made of one that was trained on pixels that its user scaled."""

import logging
from typing import Any

import keras
import numpy as np

from kcnn.models.flatten import flatten
from kcnn.models.input_range import changes_pixels, expected_range, learned_scale
from kcnn.models.plain_layers import as_layers
from kcnn.pixel_scaling import InputRange, read_scaling

logger = logging.getLogger("kcnn")

# A batch norm that gets numbers so much larger than those it has learned was trained on scaled
# pixels. Those of -1..1 are 127 times as small as raw ones, and images differ by less than this.
_TOO_LARGE = 8.0


def take_raw_pixels(model: keras.Model, input_range: InputRange) -> keras.Model:
    """Return a model that takes raw pixels 0-255 and scales them for `model` first.

    Use it for a model that was trained on pixels that the program scaled, before you score,
    compress or export it: an app then has nothing to scale, and `kcnn.export_tflite` folds the
    scaling into the first layer.

    Args:
        model: with one input and one output. It is not changed.
        input_range: the numbers that it was trained on: "0..1", "-1..1", or mean and standard
            deviation, see `kcnn.pixel_scaling.read_scaling`; "0..255" for raw pixels.

    Returns:
        A new model with new layers; `model` itself if it takes raw pixels.

    Raises:
        ValueError: `input_range` is none, is for another number of channels, or `model` scales its
            pixels itself.

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    >>> float(take_raw_pixels(model, "-1..1")(np.full((1, 4, 4, 3), 255))[0, 0])
    1.0
    """
    scaling = read_scaling(input_range)
    if scaling.is_identity:
        return model
    model = as_layers(model) if model.inputs[0].dtype != "float32" else model
    source = model.inputs[0]
    scaling = scaling.for_channels(source.shape[-1])
    if expected_range(model) == "0-255" and changes_pixels(model):
        raise ValueError(
            f"Model {model.name!r} takes raw pixels 0-255 and scales them itself: leave "
            f"input_range out. Received: input_range={input_range!r}"
        )
    image: Any = keras.Input(source.shape[1:], name=source.name)
    variance = [each**2 for each in scaling.std]
    scale = keras.layers.Normalization(
        mean=list(scaling.mean), variance=variance, name="scale_pixels"
    )
    return flatten(keras.Model(image, model(scale(image)), name=model.name))


def check_trained_on_raw(model: keras.Model, images: np.ndarray) -> None:
    """Log a warning if a model that will get raw pixels was, or may have been, trained on others.

    Args:
        model: it gets `images` as they are.
        images: a few of raw pixels 0-255, as floats.
    """
    factor = learned_scale(model, images)
    if factor is not None:
        if factor > _TOO_LARGE:
            logger.warning(
                "Raw pixels 0-255 are about %.0f times as large as what model %r was trained on: "
                "say how you scaled them, input_range='0..1', '-1..1' or 'mean,std'.",
                factor,
                model.name,
            )
    elif expected_range(model) == "scaled":
        logger.warning(
            "Nothing in front of the first weights of model %r scales the pixels, and the file "
            "takes raw ones, 0-255. Say what it was trained on: input_range='0..1', '-1..1' or "
            "'mean,std'; '0..255' for raw pixels.",
            model.name,
        )
