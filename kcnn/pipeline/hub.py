"""A preset of KerasHub with its weights, as the base of a transfer."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcnn.errors import one_line

PREFIX = "keras_hub:"


def from_hub(name: str, image_shape: tuple[int, ...]) -> keras.Model:
    """Return the backbone of a preset, for raw pixels of this shape, with its weights.

    The preset's own image converter says how pixels are scaled. KerasHub downloads a preset once.

    Args:
        name: "keras_hub:" and what KerasHub takes as a preset: the name of one, a handle such as
            "hf://user/model", or a folder.
        image_shape: (height, width, channels) of the data.

    Raises:
        ValueError: KerasHub is not installed, has no such preset, or the backbone does not make
            feature maps of such images.
        RuntimeError: the preset cannot be downloaded.
    """
    preset = name.removeprefix(PREFIX)
    try:
        hub: Any = import_module("keras_hub")
    except ImportError:
        raise ValueError(
            f"{name} is a preset of KerasHub, which is not installed: pip install 'kcnn[hub]'."
        ) from None
    _check_known(preset, hub.models.Backbone.presets)
    try:
        converter = hub.layers.ImageConverter.from_preset(preset)
        backbone = hub.models.Backbone.from_preset(preset, image_shape=tuple(image_shape))
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be built for images of {tuple(image_shape)}: {one_line(error)}"
        ) from error
    except TypeError as error:  # of backbones that are not for images
        raise ValueError(f"{name} is no network of images: {one_line(error)}") from error
    except Exception as error:  # what the downloads of Kaggle and Hugging Face raise
        raise RuntimeError(
            f"{name} is not on this machine and cannot be downloaded ({one_line(error, 120)}). "
            "On a machine with a network, save_to_preset(FOLDER) of what "
            f"keras_hub.models.Backbone.from_preset({preset!r}) and "
            f"keras_hub.layers.ImageConverter.from_preset({preset!r}) return makes a folder for "
            f"transfer.base={PREFIX}FOLDER."
        ) from error
    shape = tuple(getattr(backbone.output, "shape", ()))
    if len(shape) != 4:
        raise ValueError(
            f"{name} does not end in feature maps [N, height, width, channels], so no head can be "
            f"put on it. Received: {shape or type(backbone.output).__name__}."
        )
    return _on_raw_pixels(backbone, converter, image_shape)


def _check_known(preset: str, known: Iterable[str]) -> None:
    if preset in known or "://" in preset or Path(preset).is_dir():
        return
    close = get_close_matches(preset, known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"KerasHub has no preset {preset!r}, and there is no such folder.{hint} Its names are on "
        "https://keras.io/keras_hub/presets."
    )


def _on_raw_pixels(backbone: Any, converter: Any, image_shape: tuple[int, ...]) -> keras.Model:
    """Return the backbone behind what its image converter does to pixels."""
    image: Any = keras.Input(tuple(image_shape), name="image")
    channels, x = image_shape[-1], image
    scale, offset = (getattr(converter, name, None) for name in ("scale", "offset"))
    if scale is not None or offset is not None:
        scales, offsets = (
            _per_channel(each, channels, default) for each, default in ((scale, 1.0), (offset, 0.0))
        )
        # pixels * scale + offset, in a layer that export folds into the first convolution.
        mean = [-shift / factor for shift, factor in zip(offsets, scales, strict=True)]
        variance = [factor**-2 for factor in scales]
        x = keras.layers.Normalization(mean=mean, variance=variance, name="preprocess")(image)
    return keras.Model(image, backbone(x), name=backbone.name)


def _per_channel(value: Any, channels: int, default: float) -> list[float]:
    values = np.asarray(default if value is None else value, np.float64)
    return np.broadcast_to(values.ravel(), (channels,)).tolist()
