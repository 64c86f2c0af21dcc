"""The training of a model for int8, and of its control in floats."""

from collections.abc import Sequence
from typing import cast

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.compress.keep_zeros import keep_zeros
from kcnn.compress.own_training import train_layers
from kcnn.compress.qat.insert_fake_quantize import training_class_and_options
from kcnn.data import Data
from kcnn.models.rewrite import call_copy, rewrite
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import cosine


def train(
    model: keras.Model,
    data: Data,
    *,
    epochs: int,
    learning_rate: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    teacher: keras.Model | None = None,
) -> dict[str, list[float]]:
    """Train `model` in place and return the history. Its zeros stay zero; it is not compiled."""
    rate = cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    optimizer, callbacks = make_optimizer("adam", rate), [_DivergenceGuard(), *callbacks]
    with keep_zeros(model):
        return train_layers(
            model, data, optimizer, epochs=epochs, teacher=teacher, callbacks=callbacks
        )


class _DivergenceGuard(keras.callbacks.Callback):
    """Stops a training whose weights are no longer finite.

    A rounding clips NaN to a number, so the loss can stay finite.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        weights = cast(keras.Model, self.model).get_weights()
        if not all(np.isfinite(value).all() for value in weights):
            raise RuntimeError(
                f"a weight is not finite after epoch {epoch + 1}: training diverged. Lower the "
                "learning rate."
            )


def copy_for_training(model: keras.Model) -> keras.Model:
    """Return a copy of a model that draws the same dropouts as its twin for int8."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        kind, options = training_class_and_options(call.layer)
        return call_copy(call.layer, inputs, kind, **options)

    return rewrite(calls(model), step, name=model.name)
