"""What the first batch tells before a training: the pixels' range, and what a model answers."""

from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np

from kcnn.answers import UNKNOWN, decide_and_warn
from kcnn.data.jax_data import JaxData
from kcnn.models.final_activation import final_activation
from kcnn.models.input_range import check_range
from kcnn.models.interface import as_declared

if TYPE_CHECKING:
    from kcnn.data import Data

_FEW = 64  # images


def first_images(data: "Data | JaxData") -> np.ndarray:
    """Return some images as the model gets them, without taking anything from an epoch.

    They are validation images, or training images where `train` is a dataset of the user's own.
    """
    if isinstance(data, JaxData):
        return data.first_images()[:_FEW]
    dataset: Any = data.train if data.has_own_train else data.validation
    for images, *_ in dataset.take(1):
        return np.asarray(images[:_FEW])
    return np.zeros(0, np.uint8)


def check_first_batch(
    model: keras.Model, data: "Data | JaxData", teacher: keras.Model | None = None
) -> None:
    """Warn of pixels that a model does not expect, and refuse one that gives probabilities.

    Args:
        model: the model to train.
        data: its data.
        teacher: its teacher.

    Raises:
        ValueError: the graph of one of the models does not tell what it ends in, and its answers
            are probabilities or their logarithms.
    """
    images = first_images(data)
    # What kcnn loads was checked for scaled pixels when it was loaded.
    own = not isinstance(data, JaxData) and data.has_own_train
    if own or images.max(initial=0) > 1:
        check_range(model, images, called="The images of 'train'")
    for called, each in (("model", model), ("teacher", teacher)):
        if each is not None and len(images) and final_activation(each) == UNKNOWN:
            _check_logits(each, images, called)


def _check_logits(model: keras.Model, images: np.ndarray, called: str) -> None:
    batch = keras.ops.convert_to_tensor(images, "float32")
    answers = cast("Any", model(as_declared(model, batch), training=False))
    found = decide_and_warn(UNKNOWN, np.asarray(keras.ops.convert_to_numpy(answers)))
    if found is not None:
        raise ValueError(
            f"The {called} must end in logits, but its answers are probabilities: those of "
            f"{found}, by their numbers. Remove what makes them; kcnn.predict and the softmax "
            "option of kcnn.export_tflite make them of logits."
        )
