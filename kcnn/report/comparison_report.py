"""The outcomes of a comparison's trainings: the content of `results.json`."""

import dataclasses
import os
from dataclasses import dataclass

from pydantic import TypeAdapter

from kcnn.comparison import Comparison
from kcnn.provenance import hardware, timestamp, versions
from kcnn.report import json_files


@dataclass(frozen=True)
class Outcome:
    """One training of one variant: its history, and the scores of the last epoch's weights.

    Every accuracy is 0 to 1. A training whose loss is no longer finite ends there: it has the
    history of the epochs before, and no test accuracy.

    Attributes:
        variant: the name of the variant.
        seed: of all its random numbers.
        parameters: the number of trainable parameters.
        train_images: the number of training images.
        test_images: the number of test images.
        history: one value an epoch under each of `loss`, `accuracy`, `val_loss`, `val_accuracy`,
            `learning_rate` and `seconds`.
        test_accuracy: on all test images.
        shifted: the test accuracy by how many pixels the images are moved to the right and down.
        diverged: the epoch, from 1, after which the loss was not finite.
        git_commit: of the code, with a "+" if it had uncommitted changes.
        hardware: of its machine; None if it is that of the report.
        versions: of Python and the libraries; None if they are those of the report.
    """

    variant: str
    seed: int
    parameters: int
    train_images: int
    test_images: int
    history: dict[str, tuple[float, ...]]
    test_accuracy: json_files.Share | None = None
    shifted: dict[int, float] = dataclasses.field(default_factory=dict)
    diverged: int | None = None
    git_commit: str | None = None
    hardware: dict[str, str | int] | None = None
    versions: dict[str, str] | None = None


@dataclass(frozen=True)
class ComparisonReport:
    """The outcomes of a comparison so far and everything needed to judge them.

    Attributes:
        name: of the comparison.
        comparison: its question and its variants.
        outcomes: one for each training that has ended.
        created: when the comparison was begun, in UTC.
        hardware: processor, cores and system of the machine that has written it last.
        versions: of Python and the libraries there.
    """

    name: str
    comparison: Comparison
    outcomes: tuple[Outcome, ...] = ()
    created: str = dataclasses.field(default_factory=timestamp)
    hardware: dict[str, str | int] = dataclasses.field(default_factory=hardware)
    versions: dict[str, str] = dataclasses.field(default_factory=versions)

    def missing(self) -> list[tuple[str, int]]:
        """Return the (variant, seed) that have no outcome yet, all variants of a seed together."""
        done = {(outcome.variant, outcome.seed) for outcome in self.outcomes}
        pairs = [
            (name, seed) for seed in self.comparison.seeds for name in self.comparison.variants
        ]
        return [pair for pair in pairs if pair not in done]

    def finished(self, variant: str) -> tuple[Outcome, ...]:
        """Return a variant's trainings that reached their last epoch."""
        return tuple(
            each for each in self.outcomes if each.variant == variant and not each.diverged
        )

    def diverged(self, variant: str) -> tuple[Outcome, ...]:
        """Return a variant's trainings that diverged."""
        return tuple(each for each in self.outcomes if each.variant == variant and each.diverged)

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        json_files.write(_REPORT, self, path)


_REPORT = TypeAdapter(ComparisonReport)
_COLUMNS = ("loss", "accuracy", "val_accuracy", "seconds")


def load(path: str | os.PathLike) -> ComparisonReport:
    """Read a comparison's `results.json`.

    Raises:
        ValueError: there is no such file, or it holds no comparison.
    """
    report = json_files.read(_REPORT, path, "comparison")
    for outcome in report.outcomes:
        lacking = [name for name in _COLUMNS if not outcome.history.get(name)]
        lacking += [
            f"shift of {each}" for each in report.comparison.shifts if each not in outcome.shifted
        ]
        if lacking and not outcome.diverged:
            raise ValueError(
                f"{str(path)!r} is no comparison of this version: an outcome of "
                f"{outcome.variant!r} has no {lacking[0]}."
            )
    return report
