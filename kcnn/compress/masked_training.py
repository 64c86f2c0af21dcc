"""The pruning engine "keras": kcnn's own training, by an optimizer that has masks."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.callbacks import LearningRateLog
from kcnn.compress.bridge.prune_job import TWO_TO_FOUR
from kcnn.compress.kernels import kernel_variables, sparsity
from kcnn.compress.masks import (
    MaskPlan,
    kept_counts,
    magnitude_mask,
    two_to_four_mask,
    with_masks,
)
from kcnn.compress.own_training import train_layers
from kcnn.compress.prune_targets import Target
from kcnn.data.jax_data import JaxData
from kcnn.training.fast_updates import with_fast_updates
from kcnn.training.schedules import cosine

if TYPE_CHECKING:
    from kcnn.data import Data


def train_with_masks(  # noqa: PLR0913 - what to prune, and a training
    model: keras.Model,
    data: "Data | JaxData",
    targets: Mapping[str, Target],
    updates: tuple[int, int],
    *,
    epochs: int,
    learning_rate: float,
    teacher: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: str | os.PathLike | None = None,
) -> dict[str, list[float]]:
    """Train `model` in place while its smallest weights become zero; return the history.

    Args:
        model: a model of its own, which is not compiled afterwards.
        data: as for `kcnn.prune`, whose arguments the others are too.
        targets: what `find_targets` returns.
        updates: what `mask_updates` returns.
        epochs: passes over the training images.
        learning_rate: of Adam at the start.
        teacher: a model from whose logits it learns too.
        callbacks: for the training.
        resume: folder for the state of the training.
    """
    end_step, frequency = updates
    plans = _plan(model, targets, updates=(end_step - 1) // frequency)
    rate = cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    adam = keras.optimizers.Adam
    optimizer: Any = with_masks(adam, with_fast_updates(adam), plans, frequency)(rate)
    # Compared when the training is taken up.
    optimizer._kcnn_settings = json.dumps({"targets": dict(targets), "updates": list(updates)})
    callbacks = [_SparsityLog(), LearningRateLog(), *callbacks]
    budget = {"epochs": epochs, "teacher": teacher}
    return train_layers(model, data, optimizer, callbacks=callbacks, resume=resume, **budget)


def _plan(
    model: keras.Model, targets: Mapping[str, Target], updates: int
) -> list[tuple[keras.Variable, MaskPlan]]:
    """Set the zeros of the start, and return the masks of all kernels that train."""
    trained = {id(variable) for variable in model.trainable_variables}
    plans = []
    for name, kernel in kernel_variables(model).items():
        if name not in targets:
            continue
        trains, values = id(kernel) in trained, np.asarray(kernel)
        plan = _plan_one(values, targets[name], updates if trains else 0)
        kernel.assign(values * plan.first)
        if trains:
            plans.append((kernel, plan))
    return plans


def _plan_one(values: np.ndarray, target: Target, updates: int) -> MaskPlan:
    if target == TWO_TO_FOUR:
        return MaskPlan(two_to_four_mask(values))
    begin, end = target
    rises = updates > 0 and begin != end
    first, *counts = kept_counts(values.size, float(begin), float(end), updates if rises else 0)
    mask: Any = keras.ops.convert_to_numpy(magnitude_mask(values, first))
    return MaskPlan(mask, tuple(counts))


class _SparsityLog(keras.callbacks.Callback):
    """Adds the sparsity to the logs of every epoch."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measure it."""
        if logs is not None and isinstance(self.model, keras.Model):
            logs["sparsity"] = sparsity(self.model)
