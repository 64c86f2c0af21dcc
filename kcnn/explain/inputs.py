"""What can be explained: models with one image input, and images that fit them."""

import keras
import numpy as np

from kcnn.explain.trace import operations
from kcnn.models.interface import check_single, image_shape


def check_model(model: keras.Model) -> None:
    """Refuse anything but a built model with one image input [N, H, W, C].

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
    if inputs and len(inputs[0].shape) != 4:
        shapes = [tensor.shape for tensor in inputs]
        raise ValueError(
            f"An explanation needs one image input [N, H, W, C]. Received: {model.name!r} with "
            f"{shapes}"
        )
    for name, operation in operations(model).items():
        convolves = hasattr(operation, "kernel")  # other layers may well use channels_first
        if convolves and getattr(operation, "data_format", None) == "channels_first":
            raise ValueError(f"Layer {name!r} is channels_first; only channels_last is explained.")


def image_batch(images: np.ndarray, model: keras.Model) -> np.ndarray:
    """Return one image or several as [N, H, W, C].

    Raises:
        ValueError: the model does not take such images.
    """
    if hasattr(images, "as_numpy_iterator") or hasattr(images, "steps_per_epoch"):
        raise ValueError(
            "An explanation takes an array of images, not a data set: pass images of "
            "images, labels = next(data.test.as_numpy_iterator()). "
            f"Received: {type(images).__name__}."
        )
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    wanted, shape = image_shape(model), images.shape[1:]
    fits = images.ndim == 4 and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))
    if not fits or images.dtype.kind not in "uif" or not len(images):
        raise ValueError(
            f"Expected images of shape [N, {', '.join(str(size) for size in wanted)}], uint8 or "
            f"float. Received: shape {images.shape}, {images.dtype}."
        )
    return images
