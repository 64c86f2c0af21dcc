"""The clustering engine "keras": kcnn's own training, by an optimizer that moves shared values."""

import json
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.callbacks import LearningRateLog
from kcnn.compress.keep_zeros import keep_zeros
from kcnn.compress.kernels import kernel_variables
from kcnn.compress.own_training import train_layers
from kcnn.compress.shared_values import Shared, share_values, with_shared_values
from kcnn.training.fast_updates import with_fast_updates
from kcnn.training.schedules import cosine

if TYPE_CHECKING:
    from kcnn.data import Data
    from kcnn.data.jax_data import JaxData


def train_with_shared_values(  # noqa: PLR0913 - what to share, and a training
    model: keras.Model,
    data: "Data | JaxData",
    clusters: int,
    layers: Collection[str],
    *,
    epochs: int,
    learning_rate: float,
    teacher: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: str | os.PathLike | None = None,
) -> dict[str, list[float]]:
    """Train `model` in place while the weights of each kernel share values; return the history.

    Args:
        model: a model of its own, which is not compiled afterwards.
        data: as for `kcnn.cluster`, whose arguments the others are too.
        clusters: how many values a kernel may have.
        layers: names of the layers whose kernels share values; the others keep their zeros.
        epochs: passes over the training images.
        learning_rate: of Adam at the start.
        teacher: a model from whose logits it learns too.
        callbacks: for the training.
        resume: folder for the state of the training.
    """
    trained = {id(variable) for variable in model.trainable_variables}
    shared = []
    for name, kernel in kernel_variables(model).items():
        if name in layers:
            kernel.assign(share_values(np.asarray(kernel), clusters))
            shared += [(kernel, Shared.of(np.asarray(kernel)))] if id(kernel) in trained else []
    adam = keras.optimizers.Adam
    rate = cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    optimizer: Any = with_shared_values(adam, with_fast_updates(adam), shared)(rate)
    # Compared when the training is taken up.
    optimizer._kcnn_settings = json.dumps({"clusters": clusters, "layers": sorted(layers)})
    callbacks = [LearningRateLog(), *callbacks]
    budget = {"epochs": epochs, "teacher": teacher}
    with keep_zeros(model):
        return train_layers(model, data, optimizer, callbacks=callbacks, resume=resume, **budget)
