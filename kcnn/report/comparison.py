"""The receipts of a comparison: what every training gave, kept in one `results.json`."""

import dataclasses
import os
from dataclasses import dataclass

from pydantic import TypeAdapter

from kcnn.comparison import Comparison
from kcnn.provenance import hardware, timestamp, versions
from kcnn.report import json_files
from kcnn.run_dir import atomic


@dataclass(frozen=True)
class Outcome:
    """One training of one variant: its course, and what its last epoch's weights are worth.

    Every accuracy is a fraction. A training whose loss is no longer finite ends there; it has the
    epochs before and no test accuracy.
    """

    variant: str
    seed: int
    parameters: int
    train_images: int
    test_images: int
    history: dict[str, tuple[float, ...]]
    """One value an epoch: loss, accuracy, val_loss, val_accuracy, learning_rate, seconds."""
    test_accuracy: float | None = None
    shifted: dict[int, float] = dataclasses.field(default_factory=dict)
    """Test accuracy by how many pixels the images are moved to the right and down."""
    diverged: int | None = None
    """The epoch, from 1, after which the loss was not finite."""
    git_commit: str | None = None


@dataclass(frozen=True)
class ComparisonReport:
    """The outcomes of a comparison so far and everything needed to judge them."""

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

    def of(self, variant: str) -> tuple[Outcome, ...]:
        """Return a variant's trainings that came to their end."""
        return tuple(
            each for each in self.outcomes if each.variant == variant and not each.diverged
        )

    def diverged(self, variant: str) -> tuple[Outcome, ...]:
        """Return a variant's trainings that diverged."""
        return tuple(each for each in self.outcomes if each.variant == variant and each.diverged)

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        with atomic(path) as temporary:
            temporary.write_bytes(_REPORT.dump_json(self, indent=2) + b"\n")


_REPORT = TypeAdapter(ComparisonReport)


def load(path: str | os.PathLike) -> ComparisonReport:
    """Read a comparison's `results.json`.

    Raises:
        ValueError: there is none, or it holds no comparison.
    """
    return json_files.read(_REPORT, path, "comparison")
