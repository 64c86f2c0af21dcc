"""What a run's forms got wrong, and how sure of it they were: the content of `analysis.json`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
class FormAnalysis:
    """What one form of the model got wrong."""

    name: str
    classes: tuple[ClassScore, ...]
    confused: tuple[ConfusedPair, ...]
    """The most frequent first."""
    calibration: Calibration


@dataclass(frozen=True)
class Answer:
    """What one form said of one image."""

    told: str
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
    """On which images two forms of a model answer differently."""

    first: str
    second: str
    differ: int
    """Images of which the two tell different classes."""
    only_first_right: int
    only_second_right: int
    lost: tuple[Case, ...]
    """Told right by the first form only, those the second is surest of first; answers of both."""
    gained: tuple[Case, ...]
    """Told right by the second form only, those the first was surest of first."""


@dataclass(frozen=True)
class Interval:
    """A mean and the two ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class HeatmapDrift:
    """How far one form's heat maps lie from another's: `kcnn.explain.Drift`.

    None stands for what too few images have told.
    """

    reference: str
    form: str
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
    """What the forms of one run got wrong, on one test set."""

    count: int
    forms: tuple[FormAnalysis, ...]
    mistakes: tuple[Case, ...]
    """The first form's wrong answers, the surest first; not all of them."""
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
    """Return what the forms of a model got wrong on one test set.

    Args:
        logits: form name -> float [count, classes], all of the same images.
        labels: int [count], the true classes.
        class_names: one per class, in order.
        compared: pairs of form names to compare image by image.
        shown: how many images to name at most, of the mistakes and of each side of a comparison.

    Raises:
        ValueError: there is no form, or the shapes do not fit.

    >>> sure_of_dog = np.array([[4.0, 0.0], [0.0, 4.0], [0.0, 4.0]])
    >>> analysis = analyse({"float": sure_of_dog}, np.array([0, 1, 0]), ["cat", "dog"])
    >>> analysis.mistakes[0].index, analysis.mistakes[0].truth, analysis.mistakes[0].answers
    (2, 'cat', (Answer(told='dog', probability=0.98...),))
    """
    labels = np.asarray(labels)
    shape = (len(labels), len(class_names))
    if not logits or any(np.shape(each) != shape for each in logits.values()):
        received = {name: np.shape(each) for name, each in logits.items()}
        raise ValueError(
            f"Expected logits of shape {shape}, images by class names, of one form at least. "
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
        forms=tuple(_form(said, name) for name in logits),
        mistakes=said.cases(~said.right(first), first, [first]),
        disagreements=tuple(_compare(said, *pair) for pair in compared),
    )


@dataclass(frozen=True)
class _Said:
    """What every form said of every image."""

    probabilities: Mapping[str, np.ndarray]
    labels: np.ndarray
    class_names: tuple[str, ...]
    shown: int

    def told(self, form: str) -> np.ndarray:
        return self.probabilities[form].argmax(axis=1)

    def right(self, form: str) -> np.ndarray:
        return self.told(form) == self.labels

    def cases(self, chosen: np.ndarray, surest: str, forms: Sequence[str]) -> tuple[Case, ...]:
        """Return the chosen images that `surest` is surest of, with the answers of `forms`."""
        confidence = np.where(chosen, self.probabilities[surest].max(axis=1), -1)
        order = np.argsort(-confidence, kind="stable")[: min(self.shown, int(chosen.sum()))]
        return tuple(
            Case(
                index=int(index),
                truth=self.class_names[self.labels[index]],
                answers=tuple(self._answer(form, index) for form in forms),
            )
            for index in order
        )

    def _answer(self, form: str, index: int) -> Answer:
        told = self.probabilities[form][index].argmax()
        return Answer(self.class_names[told], float(self.probabilities[form][index, told]))


def _form(said: _Said, name: str) -> FormAnalysis:
    confusion = np.zeros((len(said.class_names),) * 2, int)
    np.add.at(confusion, (said.labels, said.told(name)), 1)
    return FormAnalysis(
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
        differ=int((said.told(first) != said.told(second)).sum()),
        only_first_right=int(lost.sum()),
        only_second_right=int(gained.sum()),
        lost=said.cases(lost, second, (first, second)),
        gained=said.cases(gained, first, (first, second)),
    )
