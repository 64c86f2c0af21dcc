"""The mistakes of a run's variants and their confidence: the content of `analysis.json`."""

import os
from dataclasses import dataclass
from typing import Annotated

from pydantic import TypeAdapter

from kcnn.report import json_files
from kcnn.report.metrics import Calibration, ClassScore, ConfusedPair


@dataclass(frozen=True)
class VariantAnalysis:
    """The scores of one variant of the model beyond its accuracy.

    Attributes:
        name: the variant's.
        classes: precision, recall and F1 of each class, in the order of the classes.
        confused: the pairs of classes that it confuses, the most frequent first.
        calibration: how well its confidence matches its accuracy.
    """

    name: str
    classes: tuple[ClassScore, ...]
    confused: tuple[ConfusedPair, ...]
    calibration: Calibration

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have images, 0 to 1."""
        recalls = [each.recall for each in self.classes if each.support]
        return sum(recalls) / max(len(recalls), 1)


@dataclass(frozen=True)
class Answer:
    """What one variant predicted for one image.

    Attributes:
        predicted: the name of the most probable class.
        probability: of that class, 0 to 1.
    """

    predicted: Annotated[str, json_files.formerly("predicted", "told")]
    probability: float


@dataclass(frozen=True)
class Case:
    """One test image and the predictions for it.

    Attributes:
        index: the image's position in the test set, from 0.
        truth: the name of its true class.
        answers: the predictions, of one variant or of the two that are compared.
    """

    index: int
    truth: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Disagreement:
    """The images for which two variants of a model predict different classes.

    Attributes:
        first: the name of the one variant.
        second: the name of the other.
        differ: the number of images for which they predict different classes.
        only_first_right: the number of images that only the first predicts correctly.
        only_second_right: the number of images that only the second predicts correctly.
        lost: some of the images that only the first predicts correctly, the second's most
            confident mistakes first, with the predictions of both.
        gained: some of the images that only the second predicts correctly, the first's most
            confident mistakes first, with the predictions of both.
    """

    first: str
    second: str
    differ: int
    only_first_right: int
    only_second_right: int
    lost: tuple[Case, ...]
    gained: tuple[Case, ...]


@dataclass(frozen=True)
class Interval:
    """A mean and the lower and upper end of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class HeatmapDrift:
    """How far one variant's heat maps differ from another's; see `kcnn.explain.Drift`.

    Attributes:
        reference: the name of the variant whose heat maps are the reference.
        variant: the name of the other.
        count: the number of images.
        correlation: Pearson's correlation of the two maps, -1 to 1. This and the following are None
            where too few images have both maps.
        overlap: the intersection over union of the maps' strongest fifths, 0 to 1.
        shift: the distance between the maps' peaks, in pixels of the image.
        changed: the share of images whose predicted class differs.
        left_out: the number of images that only `changed` counts, because one of their two maps is
            constant.
    """

    reference: str
    variant: Annotated[str, json_files.formerly("variant", "form")]
    count: int
    correlation: Interval | None
    overlap: Interval | None
    shift: Interval | None
    changed: Interval | None
    left_out: int = 0


@dataclass(frozen=True)
class Analysis:
    """The mistakes of the variants of one run, on one test set.

    Attributes:
        count: the number of test images.
        variants: the scores of each.
        mistakes: the most confident mistakes of the first variant; not all of them.
        disagreements: comparisons of variants with what they were made from.
        drifts: how far the heat maps of later variants differ from those of the first.
    """

    count: int
    variants: Annotated[tuple[VariantAnalysis, ...], json_files.formerly("variants", "forms")]
    mistakes: tuple[Case, ...]
    disagreements: tuple[Disagreement, ...] = ()
    drifts: tuple[HeatmapDrift, ...] = ()

    def save(self, path: str | os.PathLike) -> None:
        """Write the analysis as JSON."""
        json_files.write(_ANALYSIS, self, path, indent=1)


_ANALYSIS = TypeAdapter(Analysis)


def load(path: str | os.PathLike) -> Analysis:
    """Read an `analysis.json`, also one of an older version.

    Raises:
        ValueError: there is no such file, or it is not an analysis.
    """
    return json_files.read(_ANALYSIS, path, "analysis")
