"""A worker: it does one trial of a study after the other until enough of them are done."""

import logging
import os
import socket
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from kcnn.errors import one_line
from kcnn.folder_lock import locked
from kcnn.sweep import Sweep
from kcnn.training import TrainingDiverged
from kcnn.tune.goal import Goal
from kcnn.tune.space import SEED, recipe_for
from kcnn.tune.study import is_over_seeds, quiet, sampler_for
from kcnn.tune.trial_run import TooLarge, TrialResult, run_trial
from kcnn.tune.trials import (
    Place,
    Watch,
    counts,
    drop_double,
    release,
    signs_of_life,
    take_up_dead,
)

_POLL = 1.0  # seconds between two looks at trials of other workers that are not done yet
_FAILURES = 3  # in a row, after which it is not the trials that are at fault

logger = logging.getLogger("kcnn")


@dataclass
class Worker:
    """Does the trials of a study.

    Attributes:
        study: The study.
        sweep: What it searches.
        goal: What for.
        folder: The study's folder, in which each trial has one.
        trials: How many trials the study is to have, of all workers together.
        data_dir: Where prepared tfds data sets lie.
        shared: Whether other machines may draw trials at the same time.
        watch: Notices workers that have ended.
    """

    study: optuna.Study
    sweep: Sweep
    goal: Goal
    folder: Path
    trials: int
    data_dir: str | None = None
    shared: bool = False
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        """Begin to watch the other workers."""
        self.watch = Watch(self.folder)

    def work(self) -> None:
        """Do trials until the study has enough, also those that other workers leave.

        Raises:
            RuntimeError: Three trials in a row have failed.
            KeyboardInterrupt: It was stopped; the trial at hand is left for the next worker.
        """
        failures = 0
        while (trial := self._next()) is not None:
            failed = self._do(trial)
            failures = failures + 1 if failed else 0
            if failures == _FAILURES:
                raise RuntimeError(
                    f"{_FAILURES} trials in a row have failed, the last one: {failed}"
                )

    def _next(self) -> optuna.Trial | None:
        """Return a trial to do, None when enough are done; wait for those of other workers."""
        waits = False
        while True:
            with locked(self.folder, _wait), quiet():
                take_up_dead(self.study, self.watch)
                trials = self.study.get_trials(deepcopy=False)
                done = sum(map(counts, trials))
                running = [each for each in trials if each.state == TrialState.RUNNING]
                if done >= self.trials:
                    return None
                queued = any(each.state == TrialState.WAITING for each in trials)
                if queued or done + len(running) < self.trials:
                    if (trial := self._ask(trials, queued=queued)) is not None:
                        return trial
                    continue
            if not waits:
                numbers = ", ".join(str(Place.of(each).number) for each in running)
                logger.info("waiting for trial %s of another worker", numbers)
                waits = True
            time.sleep(_POLL)

    def _ask(self, trials: list[FrozenTrial], *, queued: bool) -> optuna.Trial | None:
        """Return a new trial or one from the queue; None if another machine did the same."""
        if is_over_seeds(dict(self.sweep.space)) and not queued:
            seed = 1 + max((each.user_attrs.get(SEED, -1) for each in trials), default=-1)
            self.study.enqueue_trial({SEED: seed}, user_attrs={SEED: seed})
        drawn = len({Place.of(each).number for each in trials})  # those done again are not drawn
        salt = zlib.crc32(f"{socket.gethostname()} {os.getpid()}".encode()) if self.shared else 0
        self.study.sampler = sampler_for(self.sweep.recipe.seed, drawn, salt)
        trial = self.study.ask(dict(self.sweep.space))
        return None if drop_double(self.study, trial) else trial

    def _do(self, trial: optuna.Trial) -> str:
        """Do a trial and tell the study; return why it failed, "" if it did not."""
        place = Place.of(self._frozen(trial))
        self._repeat_reports(trial, place)
        values = ", ".join(f"{key}={value}" for key, value in trial.params.items())
        logger.info("trial %d: %s", place.number, values)
        with signs_of_life(trial):
            try:
                return self._run(trial, place)
            except UpdateFinishedTrialError:
                logger.warning("trial %d was given to another worker", place.number)
        return ""

    def _run(self, trial: optuna.Trial, place: Place) -> str:
        try:
            result = run_trial(
                recipe_for(self.sweep, trial.params),
                self.goal,
                f"{self.study.study_name}, {place.folder}",
                self.folder / place.folder,
                data_dir=self.data_dir,
                report=None if self.goal.int8 else lambda *each: self._report(trial, *each),
            )
        except UpdateFinishedTrialError:
            raise
        except optuna.TrialPruned:
            self._prune(trial, "worse than the median of the others")
        except TooLarge as error:
            self._note(trial, self.goal.excess(error.bytes, None), bytes=error.bytes)
            self._prune(trial, str(error))
        except TrainingDiverged as error:
            self._prune(trial, one_line(error))
        except Exception as error:
            if is_failure(error):
                return self._fail(trial, one_line(error))
            release(self.study, trial)
            raise
        except BaseException:  # Ctrl-C and its relatives
            release(self.study, trial)
            raise
        else:
            self._complete(trial, result)
        return ""

    def _report(self, trial: optuna.Trial, epoch: int, accuracy: float) -> None:
        if epoch not in self._frozen(trial).intermediate_values:
            trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    def _repeat_reports(self, trial: optuna.Trial, place: Place) -> None:
        """Give a trial that goes on what the worker before it has reported."""
        if place.attempt == 1 or self.goal.int8:
            return
        for other in self.study.get_trials(deepcopy=False):
            before = Place.of(other)
            if (before.number, before.attempt) == (place.number, place.attempt - 1):
                for epoch, accuracy in other.intermediate_values.items():
                    trial.report(accuracy, epoch)

    def _complete(self, trial: optuna.Trial, result: TrialResult) -> None:
        if self.goal.int8:
            excess = self.goal.excess(result.bytes or 0, result.ms)
            self._note(trial, excess, file=result.file, bytes=result.bytes, ms=result.ms)
        else:
            self._note(trial, {}, file=result.file)
        self._tell(trial, TrialState.COMPLETE, result.values(self.goal))
        logger.info("its validation accuracy is %.2f%%", 100 * result.accuracy)

    def _prune(self, trial: optuna.Trial, reason: str) -> None:
        trial.set_user_attr("reason", reason)
        self._tell(trial, TrialState.PRUNED)
        logger.info("it ends here: %s", reason)

    def _fail(self, trial: optuna.Trial, reason: str) -> str:
        trial.set_user_attr("failed", reason)
        self._tell(trial, TrialState.FAIL)
        logger.warning("it failed: %s", reason)
        return reason

    def _note(self, trial: optuna.Trial, excess: dict[str, float], **facts: object) -> None:
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        for name, value in excess.items():
            trial.set_constraint(name, value)

    def _tell(
        self, trial: optuna.Trial, state: TrialState, values: Sequence[float] | None = None
    ) -> None:
        if self._frozen(trial).state.is_finished():
            raise UpdateFinishedTrialError  # by a worker that took this one for dead
        self.study.tell(trial, values, state=state)

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]


def is_failure(error: Exception) -> bool:
    """Return whether an error is about one trial, such as a network too large for the memory.

    A full disk or a bug is not.
    """
    if isinstance(error, NotImplementedError | RecursionError):
        return False
    of_tensorflow = type(error).__module__ == "tensorflow.python.framework.errors_impl"
    return of_tensorflow or isinstance(error, ValueError | RuntimeError | MemoryError)


def _wait() -> None:
    """Wait where another worker of this machine draws a trial."""
