"""Fine-tuning of one or several models on the very same batches."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kcnn.compress.finetune import batch_specs, training_batches
from kcnn.compress.kernels import kernel_variables
from kcnn.data import Data

logger = logging.getLogger("kcnn")

History = dict[str, list[float]]


class Trainee:
    """A model on its way through a training, batch by batch.

    Kernel weights that are zero stay zero. The model itself is not compiled.
    """

    def __init__(
        self, model: keras.Model, data: Data, *, epochs: int, learning_rate: float, called: str
    ) -> None:
        """Prepare `model` for `epochs` times `data.steps_per_epoch` batches.

        `called` is what the log calls the training.
        """
        self.model = model
        self.history: History = {}
        self._called, self._epochs, self._steps = called, epochs, data.steps_per_epoch
        self._logs: list[dict[str, float]] = []
        # The same layers under another name: what is compiled is this.
        self._compiled = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        soft = batch_specs(data)[1].shape.rank == 2
        losses = keras.losses
        loss = losses.CategoricalCrossentropy if soft else losses.SparseCategoricalCrossentropy
        schedule: Any = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * self._steps)
        self._compiled.compile(
            keras.optimizers.Adam(schedule), loss(from_logits=True), metrics=["accuracy"]
        )

    def learn(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Take one step.

        Raises:
            RuntimeError: it is the last one of an epoch, and a weight is no longer a number.
        """
        logs = self._compiled.train_on_batch(images, labels, return_dict=True)
        self._logs.append(logs)
        if len(self._logs) < self._steps:
            return
        # All batches are of one size.
        means = {key: float(np.mean([logs[key] for logs in self._logs])) for key in logs}
        self._logs = []
        for key, value in means.items():
            self.history.setdefault(key, []).append(value)
        epoch = f"{len(self.history['loss'])}/{self._epochs}"
        progress = ", ".join(f"{key} {value:.4f}" for key, value in means.items())
        logger.info("%s epoch %s: %s", self._called, epoch, progress)
        # A rounding clips NaN away, so the loss alone would not tell.
        if not all(
            np.isfinite(value).all() for value in (means["loss"], *self.model.get_weights())
        ):
            raise RuntimeError(
                f"The training diverged, at a loss of {means['loss']:.3g}: use a lower "
                "learning_rate."
            )


@contextmanager
def zeros_kept(model: keras.Model) -> Iterator[None]:
    """While inside, a step of an optimizer leaves the zeros of the kernels of `model` zero."""
    before = [(kernel, kernel.constraint) for kernel in kernel_variables(model).values()]
    try:
        for kernel, own in before:
            mask = keras.ops.cast(kernel != 0, kernel.dtype)
            kernel.constraint = _Masked(mask, own)
        yield
    finally:
        for kernel, own in before:
            kernel.constraint = own


class _Masked(keras.constraints.Constraint):
    def __init__(self, mask: Any, own: keras.constraints.Constraint | None) -> None:
        self.mask, self.own = mask, own

    def __call__(self, weights: keras.KerasTensor) -> keras.KerasTensor:
        return (weights if self.own is None else self.own(weights)) * self.mask


def tune(trainees: Sequence[Trainee], data: Data, epochs: int) -> None:
    """Train all of them, each on every batch of `data.train`.

    Raises:
        RuntimeError: the data cannot be read, or a training diverged.
    """
    for batch in training_batches(data, epochs * data.steps_per_epoch):
        for trainee in trainees:
            trainee.learn(*batch)
