"""Whether an exported model returns probabilities, and the layer that makes them."""

from typing import Any

import keras
import numpy as np

from kcnn.answers import UNKNOWN, decide, may_be_either
from kcnn.export.signature import add_signature
from kcnn.litert.final_activation import final_activation as activation_of_file
from kcnn.models.final_activation import final_activation
from kcnn.models.interface import as_declared

_TRIED = 8  # images that show what a model returns whose graph does not
_AXES_OF_IMAGES = 3


def returns_probabilities(model: keras.Model, images: np.ndarray | None) -> bool | None:
    """Return whether a model's output are probabilities, of a softmax or of sigmoids.

    Args:
        model: as `check_model` accepts it.
        images: calibration images; where the graph does not tell, they show it, and images of
            noise, of black and of white, at which logits differ most.

    Returns:
        None if nothing tells: the graph does not, and all numbers lie between 0 and 1.

    Raises:
        ValueError: the output are the logarithms of probabilities.
    """
    activation = final_activation(model)
    within = False
    if activation == UNKNOWN:
        answers = _answers(model, images)
        activation = decide(UNKNOWN, answers)
        within = activation is None and may_be_either(answers)
    if activation in ("log_softmax", "log_sigmoid"):
        raise ValueError(
            f"Model {model.name!r} ends in {activation}, whose output an app would take for "
            "logits or for probabilities: let it end in logits, or in a softmax."
        )
    return None if within else activation is not None


def undecided(model: keras.Model) -> ValueError:
    """Return the error for a model of which nothing tells what it returns; the caller raises."""
    last: Any = model.outputs[0]
    classes, name = last.shape[-1], last._keras_history.operation.name
    return ValueError(
        f"The outputs of model {model.name!r} lie between 0 and 1, and its last layer {name!r} "
        "does not tell whether they are probabilities. If they are, compute them at the end: "
        'Activation("sigmoid") for classes that do not exclude each other, "softmax" for others. '
        f"If they are logits, put keras.layers.Dense({classes}, use_bias=False, "
        'kernel_initializer="identity") behind it, which changes no number.'
    )


def _answers(model: keras.Model, images: np.ndarray | None) -> np.ndarray:
    """Return what a model answers to calibration images and, for images, to extreme ones."""
    shape = model.inputs[0].shape[1:]
    noise = np.random.default_rng(0).integers(0, 256, (_TRIED, *shape)).astype(np.float32)
    shown = [noise] if images is None else [images[:_TRIED]]
    if len(shape) == _AXES_OF_IMAGES:
        extreme = np.stack([np.zeros(shape), np.full(shape, 255.0)])
        shown = [*shown, noise, extreme]
    tried = keras.ops.convert_to_tensor(np.concatenate(shown), "float32")
    answers: Any = model(as_declared(model, tried), training=False)
    return np.asarray(keras.ops.convert_to_numpy(answers))


def named_output(data: bytes, model: keras.Model, *, undecided_numbers: bool) -> bytes:
    """Call the output of a file by what its own graph shows, of layers that Keras's graph hides.

    Raises:
        ValueError: it shows nothing, nor do the numbers.
    """
    found = activation_of_file(data)
    if found == UNKNOWN and undecided_numbers:
        raise undecided(model)
    return add_signature(data, "probabilities") if found in ("softmax", "sigmoid") else data


def with_probabilities(model: keras.Model) -> keras.Model:
    """Return a model of logits with a softmax at its end, or with a sigmoid for a single logit."""
    single = model.outputs[0].shape[-1] == 1
    layer: keras.layers.Layer = keras.layers.Softmax(name="probabilities")
    if single:
        layer = keras.layers.Activation("sigmoid", name="probabilities")
    return keras.Model(model.inputs[0], layer(model.outputs[0]), name=model.name)
