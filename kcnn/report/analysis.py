"""What a run's variants got wrong, and how sure of it they were: the content of `analysis.json`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import TypeAdapter

from kcnn.report import json_files
from kcnn.report.metrics import (
    Calibration,
    ClassScore,
    ConfusedPair,
    calibration,
    class_scores,
    confused_pairs,
    probabilities,
)
from kcnn.run_dir import atomic


@dataclass(frozen=True)
class VariantAnalysis:
    """What one variant of the model got wrong."""

    name: str
    classes: tuple[ClassScore, ...]
    confused: tuple[ConfusedPair, ...]
    """The most frequent first."""
    calibration: Calibration


@dataclass(frozen=True)
class Answer:
    """What one variant said of one image."""

    predicted: Annotated[str, json_files.formerly("predicted", "told")]
    probability: float


@dataclass(frozen=True)
class Case:
    """One test image, and what was said of it."""

    index: int
    """Its place in the test set, from 0."""
    truth: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Disagreement:
    """On which images two variants of a model answer differently."""

    first: str
    second: str
    differ: int
    """Images for which the two predict different classes."""
    only_first_right: int
    only_second_right: int
    lost: tuple[Case, ...]
    """Images that only the first is right about, the second's most confident mistakes first."""
    gained: tuple[Case, ...]
    """Images that only the second is right about, the first's most confident mistakes first."""


@dataclass(frozen=True)
class Interval:
    """A mean and the two ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class HeatmapDrift:
    """How far one variant's heat maps lie from another's: `kcnn.explain.Drift`.

    None stands for what too few images have told.
    """

    reference: str
    variant: Annotated[str, json_files.formerly("variant", "form")]
    count: int
    """Images asked."""
    correlation: Interval | None
    overlap: Interval | None
    shift: Interval | None
    changed: Interval | None
    left_out: int = 0
    """Images that only `changed` counts: one of their two maps is the same everywhere."""


@dataclass(frozen=True)
class Analysis:
    """What the variants of one run got wrong, on one test set."""

    count: int
    variants: Annotated[tuple[VariantAnalysis, ...], json_files.formerly("variants", "forms")]
    mistakes: tuple[Case, ...]
    """The first variant's wrong answers, the surest first; not all of them."""
    disagreements: tuple[Disagreement, ...] = ()
    drifts: tuple[HeatmapDrift, ...] = ()

    def save(self, path: str | os.PathLike) -> None:
        """Write the analysis as JSON."""
        with atomic(path) as temporary:
            temporary.write_bytes(_ANALYSIS.dump_json(self, indent=1) + b"\n")


_ANALYSIS = TypeAdapter(Analysis)


def load(path: str | os.PathLike) -> Analysis:
    """Read an `analysis.json`.

    Raises:
        ValueError: there is none, or it is not an analysis.
    """
    return json_files.read(_ANALYSIS, path, "analysis")


def analyse(
    logits: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    compared: Sequence[tuple[str, str]] = (),
    shown: int = 12,
) -> Analysis:
    """Return what the variants of a model got wrong on one test set.

    Args:
        logits: variant name -> float [count, classes], all of the same images.
        labels: int [count], the true classes.
        class_names: one per class, in order.
        compared: pairs of variant names to compare image by image.
        shown: how many images to name at most, of the mistakes and of each side of a comparison.

    Raises:
        ValueError: there is no variant, or the shapes do not fit.

    >>> sure_of_dog = np.array([[4.0, 0.0], [0.0, 4.0], [0.0, 4.0]])
    >>> analysis = analyse({"float": sure_of_dog}, np.array([0, 1, 0]), ["cat", "dog"])
    >>> analysis.mistakes[0].index, analysis.mistakes[0].truth, analysis.mistakes[0].answers
    (2, 'cat', (Answer(predicted='dog', probability=0.98...),))
    """
    labels = np.asarray(labels)
    shape = (len(labels), len(class_names))
    if not logits or any(np.shape(each) != shape for each in logits.values()):
        received = {name: np.shape(each) for name, each in logits.items()}
        raise ValueError(
            f"Expected logits of shape {shape}, images by class names, of one variant at least. "
            f"Received: {received}"
        )
    said = _Said(
        {name: probabilities(each) for name, each in logits.items()},
        labels,
        tuple(map(str, class_names)),
        shown,
    )
    first = next(iter(logits))
    return Analysis(
        count=len(labels),
        variants=tuple(_variant(said, name) for name in logits),
        mistakes=said.cases(~said.right(first), first, [first]),
        disagreements=tuple(_compare(said, *pair) for pair in compared),
    )


@dataclass(frozen=True)
class _Said:
    """What every variant said of every image."""

    probabilities: Mapping[str, np.ndarray]
    labels: np.ndarray
    class_names: tuple[str, ...]
    shown: int

    def predicted(self, variant: str) -> np.ndarray:
        return self.probabilities[variant].argmax(axis=1)

    def right(self, variant: str) -> np.ndarray:
        return self.predicted(variant) == self.labels

    def cases(self, chosen: np.ndarray, surest: str, variants: Sequence[str]) -> tuple[Case, ...]:
        """Return the chosen images that `surest` is surest of, with the answers of `variants`."""
        confidence = np.where(chosen, self.probabilities[surest].max(axis=1), -1)
        order = np.argsort(-confidence, kind="stable")[: min(self.shown, int(chosen.sum()))]
        return tuple(
            Case(
                index=int(index),
                truth=self.class_names[self.labels[index]],
                answers=tuple(self._answer(variant, index) for variant in variants),
            )
            for index in order
        )

    def _answer(self, variant: str, index: int) -> Answer:
        predicted = self.probabilities[variant][index].argmax()
        return Answer(
            self.class_names[predicted], float(self.probabilities[variant][index, predicted])
        )


def _variant(said: _Said, name: str) -> VariantAnalysis:
    confusion = np.zeros((len(said.class_names),) * 2, int)
    np.add.at(confusion, (said.labels, said.predicted(name)), 1)
    return VariantAnalysis(
        name=name,
        classes=class_scores(confusion, said.class_names),
        confused=confused_pairs(confusion, said.class_names),
        calibration=calibration(said.probabilities[name], said.labels),
    )


def _compare(said: _Said, first: str, second: str) -> Disagreement:
    lost = said.right(first) & ~said.right(second)
    gained = said.right(second) & ~said.right(first)
    return Disagreement(
        first=first,
        second=second,
        differ=int((said.predicted(first) != said.predicted(second)).sum()),
        only_first_right=int(lost.sum()),
        only_second_right=int(gained.sum()),
        lost=said.cases(lost, second, (first, second)),
        gained=said.cases(gained, first, (first, second)),
    )
