"""A training in progress, and the steps that it takes."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.callbacks.divergence import TrainingDiverged, check_finite, check_weights
from kcnn.callbacks.state import Rollback, TrainingState
from kcnn.interruption import StopRequest
from kcnn.training.divergence import has_exploded
from kcnn.training.rollback import RollingBack

Logs = dict[str, float]


class Steps(Protocol):
    """The part of the loop that depends on the backend: it takes steps and validates."""

    per_epoch: int
    """Steps of an epoch."""

    def begin(self, epoch: int, step: int) -> None:
        """Prepare to take the steps from `step` of `epoch` on."""
        ...

    def rebuild(self) -> None:
        """Compile the step again: another schedule sets the learning rate."""
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

    def agree(self, signal: int | None, step: int) -> int | None:
        """Return the signal that stops the training after this step of the epoch.

        Args:
            signal: what this process has received. A training in several processes stops where all
                of them know of a signal that one of them has received.
            step: how many steps of the epoch are done.
        """
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
        rolling_back: takes the training back to an earlier state where it diverges.
        guessing: the loss of equal probabilities for all classes and the penalties of the first
            weights, against which a loss that explodes is judged.
        validates: whether every epoch ends with the loss and the metrics of the validation images.
        epoch: the running epoch, from 0.
        step: the steps of it that are done.
        first_epoch: the epoch with which the callbacks began to count steps.
        seconds_before: how long earlier processes have been training.
        settings: what the training is, as plain JSON.
        rollbacks: how often it diverged and went back, in order.
        stopped_by: the class of the callback that ended the training, by its name.
        request: the signal that this process has received, if any.
        signal: the signal that stops the training, in all of its processes after the same step.
    """

    model: keras.Model
    callbacks: keras.callbacks.CallbackList
    steps: Steps
    epochs: int
    checkpoints: Checkpoints | None = None
    guards: bool = True
    rolling_back: RollingBack | None = None
    guessing: float = math.inf
    validates: bool = True
    epoch: int = 0
    step: int = 0
    first_epoch: int = 0
    seconds_before: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    rollbacks: tuple[Rollback, ...] = ()
    stopped_by: str = ""
    started: float = field(default_factory=time.perf_counter)
    request: StopRequest = field(default_factory=StopRequest)
    signal: int | None = None

    def each_callback(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callbacks in the order in which they are called."""
        yield from self.callbacks.callbacks

    @property
    def seconds(self) -> float:
        """How long it has been training, earlier processes included."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def interrupted(self) -> bool:
        """Whether a signal stops the training here."""
        return self.signal is not None

    def notice_signal(self, step: int) -> None:
        """Look whether a signal stops the training, so many steps of an epoch being done."""
        self.signal = self.steps.agree(self.request.signal, step)

    def count(self, step: int) -> bool:
        """Note that so many steps of the epoch are done; keep the state if it is time.

        Returns:
            Whether to stop here.
        """
        self.step = step
        self.notice_signal(step)
        if self.interrupted or (self.checkpoints and self.checkpoints.due(step)):
            self.save()
        return self.interrupted or bool(self.model.stop_training)

    def check(self, name: str, value: float, step: int | None = None) -> None:
        """Raise `TrainingDiverged` if a loss of the running epoch is not finite."""
        if self.guards:
            check_finite(name, value, self.epoch, step)

    def check_epoch(self, logs: Logs) -> None:
        """Raise `TrainingDiverged` if a loss of the epoch, or what a callback monitors, diverged.

        A loss that explodes but is finite is an error only if the training can go back: else it may
        recover, and is judged at its end.
        """
        monitored = (getattr(each, "monitor", None) for each in self.each_callback())
        for name in dict.fromkeys(("loss", "val_loss", *monitored)):
            if name in logs:
                self.check(name, logs[name])
        earlier = self.model.history.history.get("loss", ())
        if self._may_go_back and has_exploded(logs["loss"], earlier, self.guessing):
            raise TrainingDiverged("loss", logs["loss"], self.epoch + 1)

    def note_stop(self, callback: keras.callbacks.Callback) -> None:
        """Note that `callback` was called: after the one that ends the training it stops."""
        if self.model.stop_training and not self.stopped_by:
            self.stopped_by = type(callback).__name__

    def save(self) -> None:
        """Keep the state as it is now, if it is kept at all.

        Raises:
            TrainingDiverged: a number in it is not finite; nothing could go on from there.
        """
        if not (self.checkpoints or self._may_go_back):
            return
        state = TrainingState.of(self)
        if self.guards and not self.model.stop_training:
            where = (self.epoch + 1, self.step) if self.step else (self.epoch, None)
            check_weights(self.model, state.model, state.optimizer, *where)
        if self.rolling_back and self._may_go_back:
            self.rolling_back.good = state
        if self.checkpoints:
            self.checkpoints.save(state)

    @property
    def _may_go_back(self) -> bool:
        return self.rolling_back is not None and self.rolling_back.most > 0


class Watched(list[keras.callbacks.Callback]):
    """The callbacks of a training, which notes by which of them it is ended.

    Keras's `CallbackList` calls them one after the other, and does not tell who set
    `model.stop_training`.
    """

    def __init__(self, callbacks: Iterable[keras.callbacks.Callback], training: Training) -> None:
        super().__init__(callbacks)
        self._training = training

    def __iter__(self) -> Iterator[keras.callbacks.Callback]:
        """Yield each callback, and look at the model after it was called."""
        for each in super().__iter__():
            yield each
            self._training.note_stop(each)
