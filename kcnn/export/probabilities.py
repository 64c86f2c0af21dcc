"""Whether an exported model returns probabilities, and the layer that makes them."""

import keras
import numpy as np

from kcnn.answers import UNKNOWN, decide
from kcnn.models.final_activation import final_activation
from kcnn.models.interface import as_declared

_TRIED = 8  # images that show what a model returns whose graph does not


def returns_probabilities(model: keras.Model, images: np.ndarray | None) -> bool:
    """Return whether a model's output are probabilities, of a softmax or of sigmoids.

    Args:
        model: as `check_model` accepts it.
        images: calibration images; noise stands for them where there are none and the graph does
            not tell.

    Raises:
        ValueError: the output are the logarithms of probabilities.
    """
    activation = final_activation(model)
    if activation == UNKNOWN:
        if images is None:
            shape = (_TRIED, *model.inputs[0].shape[1:])
            images = np.random.default_rng(0).integers(0, 256, shape)
        tried = keras.ops.convert_to_tensor(images[:_TRIED], "float32")
        answers = model(as_declared(model, tried), training=False)
        activation = decide(UNKNOWN, np.asarray(keras.ops.convert_to_numpy(answers)))
    if activation in ("log_softmax", "log_sigmoid"):
        raise ValueError(
            f"Model {model.name!r} ends in {activation}, whose output an app would take for "
            "logits or for probabilities: let it end in logits, or in a softmax."
        )
    return activation is not None


def with_probabilities(model: keras.Model) -> keras.Model:
    """Return a model of logits with a softmax at its end, or with a sigmoid for a single logit."""
    single = model.outputs[0].shape[-1] == 1
    layer: keras.layers.Layer = keras.layers.Softmax(name="probabilities")
    if single:
        layer = keras.layers.Activation("sigmoid", name="probabilities")
    return keras.Model(model.inputs[0], layer(model.outputs[0]), name=model.name)
