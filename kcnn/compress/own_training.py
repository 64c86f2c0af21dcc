"""The trainings of engine "keras": kcnn's own, of a copy that is not compiled afterwards."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from kcnn.compress.to_keras2 import copy_with_weights, named_weights
from kcnn.models.files import in_float32
from kcnn.training import Checkpoints, Objective
from kcnn.training.objective import ALPHA, TEMPERATURE
from kcnn.training.trainer import run_training

if TYPE_CHECKING:
    from kcnn.data import Data
    from kcnn.data.jax_data import JaxData


def copy_in_float32(model: keras.Model) -> keras.Model:
    """Return a copy of a model, in float32, that a training may change."""
    model = in_float32(model)
    return copy_with_weights(model, named_weights(model))


def train_layers(  # noqa: PLR0913 - what a training is made of
    model: keras.Model,
    data: "Data | JaxData",
    optimizer: keras.optimizers.Optimizer,
    *,
    epochs: int,
    teacher: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: str | os.PathLike | None = None,
) -> dict[str, list[float]]:
    """Train the layers of `model` in place and return the history; `model` is not compiled.

    Args:
        model: whose layers are trained.
        data: the training and validation images.
        optimizer: with its learning rate.
        epochs: passes over the training images.
        teacher: a model from whose logits it learns too, with the defaults of `kcnn.distill`.
        callbacks: for the training.
        resume: folder for the state of the training.
    """
    # The same layers in a model of its own, which is the one that is compiled.
    trainee = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    result = run_training(
        trainee,
        data,
        Objective() if teacher is None else Objective(temperature=TEMPERATURE, alpha=ALPHA),
        epochs=epochs,
        optimizer=optimizer,
        teacher=teacher,
        callbacks=callbacks,
        checkpoints=Checkpoints(Path(resume)) if resume else None,
    )
    return result.history
