"""Which trial a worker does next: a new one, or that of a worker which has ended.

Everything is in the storage, so that any number of workers on any number of machines can share a
study. A trial that is done again is a new one for Optuna, with the same values; `Place` says which
trial it stands for, and whose folder it goes on in.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from kcnn.errors import one_line
from kcnn.folder_lock import is_locked

BEAT = 15.0
"""Seconds between two signs of life of a worker."""
STALE = 6 * BEAT
"""Seconds without a sign of life, after which a worker on another machine counts as dead."""
DEATHS = 3
"""How many workers may die of a trial before it counts as failed."""

_HOST = socket.gethostname()

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Place:
    """What a trial of Optuna's stands for.

    Attributes:
        number: The number of the first trial with its values, after which its folder is called.
        attempt: The first one is 1.
        deaths: How many workers have died of it.
    """

    number: int
    attempt: int
    deaths: int

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Place":
        """Return the place of a trial."""
        attrs = trial.user_attrs
        return cls(attrs.get("of", trial.number), attrs.get("attempt", 1), attrs.get("deaths", 0))

    @property
    def folder(self) -> str:
        """The name of its run's folder in that of the study."""
        return f"trial-{self.number:04d}"


def counts(trial: FrozenTrial) -> bool:
    """Return whether a trial is done: complete, pruned, or failed for a reason of its own."""
    if trial.state != TrialState.FAIL:
        return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return "failed" in trial.user_attrs or _died_too_often(trial)


def given_up(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that a worker has left and that no other one has taken up."""
    taken_up = {(place.number, place.attempt) for place in map(Place.of, trials)}
    return [
        trial
        for trial in trials
        if trial.state == TrialState.FAIL
        and not counts(trial)
        and "double" not in trial.user_attrs
        and ((place := Place.of(trial)).number, place.attempt + 1) not in taken_up
    ]


def _died_too_often(trial: FrozenTrial) -> bool:
    released = "released" in trial.user_attrs or "double" in trial.user_attrs
    return not released and Place.of(trial).deaths + 1 >= DEATHS


@dataclass
class Watch:
    """Notices workers that have ended without a word.

    On this machine it asks for the process. A worker elsewhere has to give signs of life, whose
    times are never compared between two clocks, or hold the folder of its run.

    Attributes:
        folder: The study's folder.
        stale: Seconds without one, after which it counts as dead.
        seen: The last sign of each trial, and when this process saw it.
    """

    folder: Path
    stale: float = STALE
    seen: dict[int, tuple[Any, float]] = field(default_factory=dict)

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Return whether the worker of a running trial has ended."""
        worker = trial.user_attrs.get("worker", {})
        if worker.get("host") == _HOST and not _is_running(worker["pid"]):
            return True
        sign, now = trial.user_attrs.get("sign"), time.monotonic()
        if trial.number not in self.seen or self.seen[trial.number][0] != sign:
            self.seen[trial.number] = sign, now
        silent = now - self.seen[trial.number][1] > self.stale
        return silent and not is_locked(self.folder / Place.of(trial).folder)


def _is_running(pid: int) -> bool:
    if pid == os.getpid():  # this worker, which has no trial now
        return False
    if os.name == "nt":  # where signal 0 is Ctrl-C: its signs of life have to tell
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        pass
    return True


def take_up_dead(study: optuna.Study, watch: Watch) -> None:
    """Queue the trials whose workers have ended, each once."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if watch.is_dead(trial):
            logger.info("the worker of trial %d has ended", Place.of(trial).number)
            with _unless_finished():
                study.tell(trial.number, state=TrialState.FAIL)
    for trial in given_up(study.get_trials(deepcopy=False)):
        _queue_again(study, trial)


def _queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    place = Place.of(trial)
    released = "released" in trial.user_attrs
    study.enqueue_trial(
        trial.params or trial.system_attrs.get("fixed_params", {}),
        user_attrs={
            "of": place.number,
            "attempt": place.attempt + 1,
            "deaths": place.deaths + (not released),
        },
    )


def release(study: optuna.Study, trial: optuna.Trial) -> None:
    """Leave a trial for the next worker, without blame."""
    with _unless_finished():
        trial.set_user_attr("released", True)
        study.tell(trial, state=TrialState.FAIL)


def drop_double(study: optuna.Study, trial: optuna.Trial) -> bool:
    """Drop a trial that two machines have queued at once; return whether it was one."""
    trials = study.get_trials(deepcopy=False)
    mine = trials[trial.number]
    for other in trials[: trial.number]:
        if _is_double(mine, other):
            trial.set_user_attr("double", True)
            study.tell(trial, state=TrialState.FAIL)
            return True
    return False


def _is_double(trial: FrozenTrial, earlier: FrozenTrial) -> bool:
    mine, other = Place.of(trial), Place.of(earlier)
    if mine.attempt > 1 or other.attempt > 1:
        return (mine.number, mine.attempt) == (other.number, other.attempt)
    return "seed" in trial.user_attrs and trial.user_attrs["seed"] == earlier.user_attrs.get("seed")


@contextmanager
def signs_of_life(trial: optuna.Trial, every: float = BEAT) -> Iterator[None]:
    """Let the storage know, from time to time while inside, that this worker is alive."""
    trial.set_user_attr("worker", {"host": _HOST, "pid": os.getpid()})
    stop = threading.Event()

    def give() -> None:
        number = 0
        while not stop.wait(every):
            number += 1
            try:
                trial.set_user_attr("sign", number)
            except UpdateFinishedTrialError:  # another worker took this one for dead
                return
            except Exception as error:  # such as a database that is started again
                logger.warning("the storage cannot be reached: %s", one_line(error))

    thread = threading.Thread(target=give, daemon=True, name="signs of life")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _unless_finished() -> Iterator[None]:
    """Pass over a trial that another worker has just finished."""
    try:
        yield
    except (UpdateFinishedTrialError, ValueError) as error:
        logger.debug("%s", one_line(error))
