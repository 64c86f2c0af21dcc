"""The one training loop: epochs, validation, callbacks, and a state that can be kept.

What depends on the backend is a `Steps`: `loop_tensorflow` and `loop_jax` have one each. The
callbacks are called as Keras's own `fit` calls them.
"""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import keras
import numpy as np

from kcnn.training.checkpoints import Checkpoints
from kcnn.training.divergence import check_finite
from kcnn.training.interruption import Interrupted, StopRequest, catch_signals
from kcnn.training.state import TrainingState

Logs = dict[str, float]


class Steps(Protocol):
    """The part of the loop that depends on the backend: it takes steps and validates."""

    per_epoch: int
    """Steps of an epoch."""

    def begin(self, epoch: int, step: int) -> None:
        """Prepare to take the steps from `step` of `epoch` on; called once."""
        ...

    def reset(self) -> None:
        """Set the sums of the loss and the metrics to zero: an epoch begins."""
        ...

    def run(self, training: "Training") -> Logs:
        """Take the steps that are left of the epoch, and return the epoch's loss and metrics.

        It calls the callbacks for batches, and `training.count` after the steps it has taken.
        """
        ...

    def validate(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return loss and metrics on the validation images; calls the callbacks for tests."""
        ...

    def sums(self) -> list[np.ndarray]:
        """Return the sums of the running epoch."""
        ...

    def restore_sums(self, sums: list[np.ndarray]) -> None:
        """Go on from these sums."""
        ...


@dataclass
class Training:
    """A training in progress.

    Attributes:
        model: the compiled model.
        callbacks: all of them, History and progress bar included.
        steps: how its steps are taken.
        epochs: how many there will be.
        checkpoints: where the state is kept, if it is kept.
        guards: whether a loss that is not finite is an error.
        validates: whether every epoch ends with the loss and the metrics of the validation images.
        epoch: the running epoch, from 0.
        step: the steps of it that are done.
        first_epoch: the epoch with which the callbacks began to count steps.
        seconds_before: how long earlier processes have been training.
        settings: what the training is, as plain JSON.
        request: whether a signal asked the training to stop.
    """

    model: keras.Model
    callbacks: keras.callbacks.CallbackList
    steps: Steps
    epochs: int
    checkpoints: Checkpoints | None = None
    guards: bool = True
    validates: bool = True
    epoch: int = 0
    step: int = 0
    first_epoch: int = 0
    seconds_before: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    request: StopRequest = field(default_factory=StopRequest)

    def each_callback(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callbacks in the order in which they are called."""
        yield from self.callbacks.callbacks

    @property
    def seconds(self) -> float:
        """How long it has been training, earlier processes included."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def interrupted(self) -> bool:
        """Whether a signal asked the training to stop."""
        return self.request.signal is not None

    def count(self, step: int) -> bool:
        """Note that so many steps of the epoch are done; keep the state if it is time.

        Returns:
            Whether to stop here.
        """
        self.step = step
        if self.interrupted or (self.checkpoints and self.checkpoints.due(step)):
            self.save()
        return self.interrupted or bool(self.model.stop_training)

    def check(self, name: str, value: float, step: int | None = None) -> None:
        """Raise `TrainingDiverged` if a loss of the running epoch is not finite."""
        if self.guards:
            check_finite(name, value, self.epoch, step)

    def save(self) -> None:
        """Keep the state as it is now, if it is kept at all."""
        if self.checkpoints:
            self.checkpoints.save(TrainingState.of(self))


def fit(training: Training, start: TrainingState | None = None) -> None:
    """Train to the last epoch, or until a callback sets `model.stop_training`.

    Without `start` the training begins where `model._initial_epoch` says after `on_train_begin`:
    Keras's `BackupAndRestore` sets it when it takes up a training.

    Raises:
        Interrupted: a signal came. The step was finished, the state is kept, and the callbacks have
            ended the training: the best weights are in the model where one restores them.
        TrainingDiverged: a loss was not finite.
    """
    with catch_signals() as training.request:
        _fit(training, start)


def _fit(training: Training, start: TrainingState | None) -> None:
    model, callbacks, logs = training.model, training.callbacks, {}
    model.optimizer.build(model.trainable_variables)
    model.stop_training, model._initial_epoch = False, None
    if start:  # refused before a callback begins, which may open a file again
        start.check(training)
    callbacks.on_train_begin()
    if start:
        start.restore(training)
    else:
        training.epoch = training.first_epoch = model._initial_epoch or 0
    training.steps.begin(training.epoch, training.step)
    while training.epoch < training.epochs and not (start and start.stopped):
        logs = _epoch(training, start if training.step else None)
        if training.interrupted:
            _leave(training)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _epoch(training: Training, within: TrainingState | None) -> Logs:
    """Train one epoch, or what is left of it after the state `within`, and validate."""
    model, steps, callbacks = training.model, training.steps, training.callbacks
    steps.reset()
    callbacks.on_epoch_begin(training.epoch)
    if within:
        # on_epoch_begin may have set counters back that belong to the steps already done.
        within.restore(training)
        steps.restore_sums(within.sums)
    logs = steps.run(training)
    if training.interrupted and training.step < steps.per_epoch:
        return logs
    if training.validates:
        logs |= {f"val_{name}": value for name, value in steps.validate(callbacks).items()}
    if not (model.stop_training and training.step < steps.per_epoch):  # as TerminateOnNaN does
        for name in ("loss", "val_loss"):
            training.check(name, logs.get(name, 0.0))
    callbacks.on_epoch_end(training.epoch, logs)
    training.epoch, training.step = training.epoch + 1, 0
    training.save()
    return logs


def _leave(training: Training) -> NoReturn:
    """End an interrupted training; a backup of Keras's stays, which the end would remove."""
    callbacks = training.callbacks
    backups = keras.callbacks.BackupAndRestore
    callbacks.callbacks = [each for each in callbacks.callbacks if not isinstance(each, backups)]
    callbacks.on_train_end({})
    raise Interrupted(training.request.signal or signal.SIGINT)
