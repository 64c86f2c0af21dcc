"""The trials of a sweep: the content of a study's `study.json`."""

import dataclasses
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from kcnn.provenance import hardware, timestamp, versions
from kcnn.report import json_files

State = Literal["complete", "pruned", "failed", "running"]
Value = bool | int | float | str | None


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 0; its folder is called after it.
        state: "complete", "pruned" (ended early, for `reason`), "failed" or "running".
        values: the recipe's fields that it has drawn, by their keys.
        accuracy: on the validation images, 0 to 1, of the trained model, or of its int8 file where
            that is searched; of a pruned trial, after its last epoch.
        bytes: the size of the int8 file.
        ms: milliseconds for an image in LiteRT, on one thread.
        within: whether it is within the limits of the search.
        test_accuracy: of the same file on the test images, where the run's folder is at hand.
        epochs: how many epochs have reported an accuracy.
        attempts: how many workers have worked on it.
        seconds: between its first beginning and its end.
        folder: the name of its run's folder.
        reason: why it was pruned or failed.
    """

    number: int
    state: State
    values: dict[str, Value]
    accuracy: json_files.Share | None = None
    bytes: int | None = None
    ms: float | None = None
    within: bool = True
    test_accuracy: json_files.Share | None = None
    epochs: int = 0
    attempts: int = 1
    seconds: float | None = None
    folder: str = ""
    reason: str = ""


@dataclass(frozen=True)
class StudyReport:
    """The trials of a sweep and what is needed to judge them.

    Attributes:
        name: of the study.
        model: of its recipe.
        dataset: of its recipe.
        space: the searched fields and their ranges, in words.
        trials: one for each, in their order.
        max_bytes: the largest int8 file that was allowed.
        max_ms: the longest time for an image that was allowed.
        created: when this was written, in UTC.
        hardware: processor, cores and system of the machine that wrote it.
        versions: of Python and the libraries.
    """

    name: str
    model: str
    dataset: str
    space: dict[str, str]
    trials: tuple[Trial, ...]
    max_bytes: int | None = None
    max_ms: float | None = None
    created: str = dataclasses.field(default_factory=timestamp)
    hardware: dict[str, str | int] = dataclasses.field(default_factory=hardware)
    versions: dict[str, str] = dataclasses.field(default_factory=versions)

    @property
    def int8(self) -> bool:
        """Whether int8 files were searched."""
        return self.max_bytes is not None or self.max_ms is not None

    @property
    def over_seeds(self) -> bool:
        """Whether the trials differ in their seed alone."""
        return list(self.space) == ["seed"]

    def ranked(self) -> list[Trial]:
        """Return the complete trials within the limits, the most accurate one first."""
        return sorted(
            (each for each in self.trials if each.state == "complete" and each.within),
            key=lambda each: -(each.accuracy or 0.0),
        )

    def front(self) -> list[Trial]:
        """Return the trials that no other one beats, the smallest file first.

        One trial beats another if it is no worse in accuracy, bytes and, where it is limited, time,
        and better in one of them. Of several equal ones the first counts. A search without limits
        has one best trial.
        """
        kept: list[Trial] = []
        for each in self.ranked():
            if not any(_is_as_good(other, each, time=self.max_ms is not None) for other in kept):
                kept.append(each)
        return sorted(kept, key=lambda each: each.bytes or 0) if self.int8 else kept[:1]

    def mean_and_spread(self, *, test: bool) -> tuple[float, float] | None:
        """Return the mean accuracy of the complete trials and its standard deviation."""
        values = [
            each.test_accuracy if test else each.accuracy
            for each in self.trials
            if each.state == "complete"
        ]
        found = [each for each in values if each is not None]
        if not found:
            return None
        return statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else 0.0

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        json_files.write(_REPORT, self, path)


_REPORT = TypeAdapter(StudyReport)


def load(path: str | os.PathLike) -> StudyReport:
    """Read a `study.json`.

    Raises:
        ValueError: there is no such file, or it is no study.
    """
    report = json_files.read(_REPORT, Path(path), "study")
    if any(each.state == "complete" and each.accuracy is None for each in report.trials):
        raise ValueError(f"{str(path)!r} is no study: a complete trial has no accuracy.")
    return report


def _is_as_good(one: Trial, other: Trial, *, time: bool) -> bool:
    """Return whether one trial, at least as accurate, is also as small and as fast as the other."""
    pairs = [(one.bytes, other.bytes)] + [(one.ms, other.ms)] * time
    return all((mine or 0) <= (theirs or 0) for mine, theirs in pairs)


HEADER = ("trial", "accuracy", "test accuracy", "bytes", "ms/image", "epochs")


def header(report: StudyReport) -> tuple[str, ...]:
    """Return the titles of the table's columns: what was found, then the searched fields."""
    found = HEADER if report.int8 else (*HEADER[:3], HEADER[-1])
    return (*found, *report.space)


def row(report: StudyReport, trial: Trial) -> tuple[str, ...]:
    """Return the cells of one trial, in the order of `header`."""
    cells = {
        "trial": str(trial.number),
        "accuracy": _percent(trial.accuracy),
        "test accuracy": _percent(trial.test_accuracy),
        "bytes": "" if trial.bytes is None else f"{trial.bytes:,}",
        "ms/image": "" if trial.ms is None else f"{trial.ms:.3f}",
        "epochs": str(trial.epochs or ""),
    }
    cells |= {key: shown(trial.values[key]) if key in trial.values else "" for key in report.space}
    return tuple(cells[title] for title in header(report))


def shown(value: Value) -> str:
    """Return a drawn value as tables show it.

    >>> shown(0.012345678), shown("sgd")
    ('0.01235', 'sgd')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def caption(report: StudyReport) -> str:
    """Return what the numbers mean, in one line."""
    what = "of the int8 files" if report.int8 else "of the trained models"
    return (
        f"{report.name}: accuracy {what} on the validation images of {report.dataset}, by which "
        f"they are ranked; {count_text(report.trials)}"
    )


def count_text(trials: Sequence[Trial]) -> str:
    """Return how many trials there are of each state, in words."""
    counts = {state: sum(each.state == state for each in trials) for state in STATES}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    return f"{len(trials)} trials: {', '.join(parts)}" if trials else "no trial yet"


STATES: tuple[State, ...] = ("complete", "pruned", "failed", "running")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
