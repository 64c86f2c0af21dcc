"""A training that diverged goes back to its last good state, at a lower learning rate."""

import dataclasses
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras

from kcnn.callbacks.divergence import TrainingDiverged, place
from kcnn.callbacks.state import Rollback, TrainingState
from kcnn.callbacks.variables import values_of
from kcnn.layers.appearance import appears_as
from kcnn.training.schedules import Schedule

MOST = 3
"""How often a training may go back."""
FACTOR = 0.5
"""What the learning rate is multiplied by each time."""

logger = logging.getLogger("kcnn")


def lowered_schedule(schedule: Any, factor: float) -> Schedule:
    """Return `schedule` with its rates multiplied by `factor`; it is saved as `schedule` itself."""
    base: Any = Schedule

    class Lowered(base):
        # A checkpoint names the schedule's own class, and loads without kcnn.
        __class__ = appears_as(schedule.__class__)

        def __call__(self, step: Any) -> Any:
            return factor * schedule(step)

        def get_config(self) -> dict[str, Any]:
            return schedule.get_config()

    lowered: Any = Lowered()
    return lowered


class Rates:
    """Whatever sets the learning rate of a training, and can be lowered.

    A number is a variable of the optimizer, and its value is in the state of the training. Of a
    schedule, a function or a `LearningRateScheduler` only the factor is: they are replaced.
    """

    def __init__(self, optimizer: Any, callbacks: Iterable[keras.callbacks.Callback]) -> None:
        self._optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of scaled losses
        self._rate = self._optimizer._learning_rate
        self._is_number = isinstance(self._rate, keras.Variable)
        kind = keras.callbacks.LearningRateScheduler
        self._schedulers = [(each, each.schedule) for each in callbacks if isinstance(each, kind)]
        self._changed = False

    def lower_number(self) -> None:
        """Multiply a rate that is a number by `FACTOR`."""
        if self._is_number:
            self._rate.assign(self._rate.value * FACTOR)

    def set_factor(self, factor: float) -> bool:
        """Multiply all later rates of schedules and functions by `factor`.

        Returns:
            Whether the compiled step has to be made again.
        """
        for callback, schedule in self._schedulers:
            callback.schedule = _lowered(schedule, factor)
        self._changed = True
        if self._is_number:
            return False
        rate = self._rate
        if isinstance(rate, Schedule):
            self._optimizer.learning_rate = lowered_schedule(rate, factor)
        else:
            self._optimizer.learning_rate = lambda: factor * rate()
        return True

    def put_back(self) -> bool:
        """Put the schedules back; return whether the compiled step is one of another rate."""
        if not self._changed:
            return False
        for callback, schedule in self._schedulers:
            callback.schedule = schedule
        if not self._is_number:
            self._optimizer.learning_rate = self._rate
        return not self._is_number


def _lowered(schedule: Callable[..., float], factor: float) -> Callable[..., float]:
    def lowered(epoch: int, *rate: float) -> float:
        # Those that change the rate before are given the one that they know.
        return factor * schedule(epoch, *(each / factor for each in rate))

    return lowered


@dataclass
class RollingBack:
    """What a training needs to go back.

    Attributes:
        rates: what sets its learning rate.
        most: how often it may go back; 0 for never.
        good: its last good state, where it may go back.
    """

    rates: Rates
    most: int = 0
    good: TrainingState | None = None

    def begin(self, training: Any, start: TrainingState | None) -> None:
        """Begin with the training, or go on with it from the state `start`."""
        if start and start.rollbacks:
            self._lower(training, start.rollbacks[-1].factor)
        if self.most:
            self.good = start or TrainingState.of(training)

    def go_back(self, training: Any, error: TrainingDiverged) -> TrainingState:
        """Bring a training that diverged to its last good state, at a lower rate.

        Args:
            training: the `kcnn.training.running.Training`.
            error: what happened.

        Returns:
            The state, in which the rate is lower. It is to be kept like any other, so that a
            training that is killed afterwards goes on from it.

        Raises:
            TrainingDiverged: it may not go back, or not once more.
        """
        done, good = training.rollbacks, self.good
        if good is None or len(done) >= self.most:
            error.add_rollbacks(len(done))
            raise error
        factor = FACTOR ** (len(done) + 1)
        back = Rollback(error.name, str(error.value), error.epoch, error.step, factor)
        good = dataclasses.replace(good, rollbacks=(*done, back), seconds=training.seconds)
        good.restore(training)
        self.rates.lower_number()
        self._lower(training, factor)
        optimizer = values_of(training.model.optimizer.variables)
        self.good = dataclasses.replace(good, optimizer=optimizer)
        logger.warning(
            "%s became %.4g in %s: going back to %s with %g times the learning rate (%d of %d)",
            error.name,
            error.value,
            place(error.epoch, error.step),
            place(good.epoch + 1, good.step or None),
            factor,
            len(good.rollbacks),
            self.most,
        )
        return self.good

    def end(self, training: Any) -> None:
        """Put the schedules of the learning rate back."""
        if self.rates.put_back():
            training.steps.rebuild()

    def _lower(self, training: Any, factor: float) -> None:
        if self.rates.set_factor(factor):
            training.steps.rebuild()
