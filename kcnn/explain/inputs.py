"""What can be explained: models with one input, and images that fit them."""

from collections.abc import Sequence

import keras
import numpy as np

from kcnn.explain.trace import operations
from kcnn.models.interface import check_single, image_shape

_INPUTS = {
    1: "series [N, steps, C]",
    2: "images [N, H, W, C]",
    3: "voxels [N, depth, H, W, C]",
}

ANY_RANK = tuple(_INPUTS)


def check_model(model: keras.Model, *, ranks: Sequence[int] = (2,)) -> None:
    """Refuse anything but a built model with one input of the given ranks.

    Args:
        model: the model.
        ranks: 1 for series, 2 for images, 3 for voxels.

    Raises:
        ValueError: it is not a Keras model, has no weights yet, has other inputs, or convolves
            images [N, C, H, W].
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"An explanation needs a Keras 3 model. Received: {model!r}")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built and so has no weights to explain: train or load "
            "it, call it on an image, or start it with keras.Input(shape)."
        )
    check_single(model, "An explanation")
    inputs = getattr(model, "inputs", None)
    if inputs and len(inputs[0].shape) - 2 not in ranks:
        taken = " or ".join(_INPUTS[rank] for rank in ranks)
        raise ValueError(
            f"This explanation needs a model of {taken}. Received: {model.name!r} with an input of "
            f"shape {tuple(inputs[0].shape)}"
        )
    for name, operation in operations(model).items():
        convolves = hasattr(operation, "kernel")  # other layers may well use channels_first
        if convolves and getattr(operation, "data_format", None) == "channels_first":
            raise ValueError(f"Layer {name!r} is channels_first; only channels_last is explained.")


def image_batch(images: np.ndarray, model: keras.Model) -> np.ndarray:
    """Return one image or several as [N, H, W, C]; the same of series and voxels.

    Raises:
        ValueError: the model does not take such images.
    """
    if hasattr(images, "as_numpy_iterator") or hasattr(images, "steps_per_epoch"):
        raise ValueError(
            "An explanation takes an array of images, not a data set: pass images of "
            "images, labels = next(data.test.as_numpy_iterator()). "
            f"Received: {type(images).__name__}."
        )
    images, wanted = np.asarray(images), image_shape(model)
    images = images[None] if images.ndim == len(wanted) else images
    shape = images.shape[1:]
    fits = len(shape) == len(wanted) and all(
        w in (None, s) for s, w in zip(shape, wanted, strict=True)
    )
    if not fits or images.dtype.kind not in "uif" or not len(images):
        raise ValueError(
            f"Expected images of shape [N, {', '.join(str(size) for size in wanted)}], uint8 or "
            f"float. Received: shape {images.shape}, {images.dtype}."
        )
    return images
