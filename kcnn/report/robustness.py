"""The accuracy of a run's variants on corrupted test images: the content of `robustness.json`."""

import os
from dataclasses import dataclass, field
from statistics import fmean
from typing import Annotated

from pydantic import Field, TypeAdapter

from kcnn.provenance import timestamp
from kcnn.report import json_files
from kcnn.report.json_files import Share

FILE = "robustness.json"
"""In the folder of a run."""


@dataclass(frozen=True)
class VariantRobustness:
    """How one variant scored; see `kcnn.evaluation.Robustness`.

    Attributes:
        name: the variant's.
        clean: its accuracy on the images as they are.
        corrupted: its accuracies by the name of the corruption, at the severities 1 to 3.
    """

    name: str
    clean: Share
    corrupted: Annotated[dict[str, tuple[Share, Share, Share]], Field(min_length=1)]

    @property
    def mean(self) -> float:
        """The mean over all corruptions and severities, 0 to 1."""
        return fmean(each for row in self.corrupted.values() for each in row)

    @property
    def drop(self) -> float:
        """How much of the accuracy the corruptions cost on average, 0 to 1."""
        return self.clean - self.mean


@dataclass(frozen=True)
class RobustnessReport:
    """The scores of the variants of one run, on the same images.

    Attributes:
        dataset: the name of the data set.
        count: the number of test images.
        seed: of the noise.
        variants: the trained model first.
        created: when they were scored, in UTC.
    """

    dataset: str
    count: int
    seed: int
    variants: tuple[VariantRobustness, ...]
    created: str = field(default_factory=timestamp)

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        json_files.write(_ROBUSTNESS, self, path, indent=1)


_ROBUSTNESS = TypeAdapter(RobustnessReport)


def load(path: str | os.PathLike) -> RobustnessReport:
    """Read a `robustness.json`.

    Raises:
        ValueError: there is no such file, or it is not such a report.
    """
    return json_files.read(_ROBUSTNESS, path, "robustness report")


HEADER = ("corruption", "severity 1", "severity 2", "severity 3")


def rows(variant: VariantRobustness) -> list[tuple[str, ...]]:
    """Return the cells of a variant's table, one row for each corruption."""
    corrupted = variant.corrupted.items()
    return [(name, *(f"{each:.2%}" for each in scores)) for name, scores in corrupted]


def summary(variant: VariantRobustness) -> str:
    """Return what corruptions cost a variant, in one line.

    >>> row = {"blur": (0.8, 0.7, 0.6)}
    >>> summary(VariantRobustness("int8", 0.9, row))
    'int8: 90.00% on the images as they are, 70.00% on average when corrupted (−20.00 points)'
    """
    return (
        f"{variant.name}: {variant.clean:.2%} on the images as they are, {variant.mean:.2%} on "
        f"average when corrupted ({100 * -variant.drop:+.2f} points)".replace("-", "−")
    )
