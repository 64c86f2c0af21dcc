"""The clustering engine "keras": kcnn's own training, by an optimizer that moves shared values."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.callbacks import LearningRateLog
from kcnn.compress.kernels import kernel_variables
from kcnn.compress.masks import MaskPlan, with_masks
from kcnn.compress.shared_values import Shared, share_values, with_shared_values
from kcnn.training import Checkpoints, Objective
from kcnn.training.fast_updates import with_fast_updates
from kcnn.training.objective import ALPHA, TEMPERATURE
from kcnn.training.schedules import cosine
from kcnn.training.trainer import run_training

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
    shared, masks = [], []
    for name, kernel in kernel_variables(model).items():
        values = np.asarray(kernel)
        if name in layers:
            kernel.assign(share_values(values, clusters, keep_zeros=True))
            plan = Shared.of(np.asarray(kernel), keep_zeros=True)
            shared += [(kernel, plan)] if id(kernel) in trained else []
        elif id(kernel) in trained and not values.all():
            masks.append((kernel, MaskPlan((values != 0).astype(values.dtype))))
    adam = keras.optimizers.Adam
    kind = with_shared_values(adam, with_fast_updates(adam), shared)
    kind = with_masks(adam, kind, masks, frequency=1) if masks else kind
    optimizer: Any = kind(
        cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    )
    # Compared when the training is taken up.
    optimizer._kcnn_settings = json.dumps({"clusters": clusters, "layers": sorted(layers)})
    # The same layers in a model of its own, which is the one that is compiled.
    trainee = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    objective = Objective()
    if teacher is not None:
        objective = Objective(temperature=TEMPERATURE, alpha=ALPHA)
    result = run_training(
        trainee,
        data,
        objective,
        epochs=epochs,
        optimizer=optimizer,
        teacher=teacher,
        callbacks=[LearningRateLog(), *callbacks],
        checkpoints=Checkpoints(Path(resume)) if resume else None,
    )
    return result.history
