"""From the logits of a model's variants to their mistakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kcnn.report.analysis import Analysis, Answer, Case, Disagreement, VariantAnalysis
from kcnn.report.metrics import calibration, class_scores, confused_pairs, probabilities


def analyze(
    logits: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    compared: Sequence[tuple[str, str]] = (),
    shown: int = 12,
) -> Analysis:
    """Return the mistakes of a model's variants on one test set.

    Args:
        logits: variant name -> float [count, classes], all of the same images.
        labels: int [count], the true classes.
        class_names: one per class, in order.
        compared: pairs of variant names to compare image by image.
        shown: how many images to list at most, of the mistakes and of each side of a comparison.

    Raises:
        ValueError: there is no variant, or the shapes do not fit.

    >>> logits = np.array([[4.0, 0.0], [0.0, 4.0], [0.0, 4.0]])
    >>> analysis = analyze({"float": logits}, np.array([0, 1, 0]), ["cat", "dog"])
    >>> analysis.mistakes[0].index, analysis.mistakes[0].truth, analysis.mistakes[0].answers
    (2, 'cat', (Answer(predicted='dog', probability=0.98...),))
    """
    labels = np.asarray(labels)
    shape = (len(labels), len(class_names))
    if not logits or any(np.shape(each) != shape for each in logits.values()):
        received = {name: np.shape(each) for name, each in logits.items()}
        raise ValueError(
            f"Expected logits of shape {shape}, images by class names, of at least one variant. "
            f"Received: {received}"
        )
    predictions = _Predictions(
        {name: probabilities(each) for name, each in logits.items()},
        labels,
        tuple(map(str, class_names)),
        shown,
    )
    first = next(iter(logits))
    return Analysis(
        count=len(labels),
        variants=tuple(_analyze_variant(predictions, name) for name in logits),
        mistakes=predictions.cases(~predictions.correct(first), first, [first]),
        disagreements=tuple(_compare(predictions, *pair) for pair in compared),
    )


@dataclass(frozen=True)
class _Predictions:
    """What every variant predicted for every image.

    Attributes:
        probabilities: variant name -> float [count, classes].
        labels: int [count].
        class_names: one per class.
        shown: how many images a list of cases has at most.
    """

    probabilities: Mapping[str, np.ndarray]
    labels: np.ndarray
    class_names: tuple[str, ...]
    shown: int

    def classes(self, variant: str) -> np.ndarray:
        return self.probabilities[variant].argmax(axis=1)

    def correct(self, variant: str) -> np.ndarray:
        return self.classes(variant) == self.labels

    def cases(
        self, chosen: np.ndarray, ranked_by: str, variants: Sequence[str]
    ) -> tuple[Case, ...]:
        """Return the chosen images, those where `ranked_by` is most confident first."""
        confidence = np.where(chosen, self.probabilities[ranked_by].max(axis=1), -1)
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
        probability = self.probabilities[variant][index]
        predicted = int(probability.argmax())
        return Answer(self.class_names[predicted], float(probability[predicted]))


def _analyze_variant(predictions: _Predictions, name: str) -> VariantAnalysis:
    confusion = np.zeros((len(predictions.class_names),) * 2, int)
    np.add.at(confusion, (predictions.labels, predictions.classes(name)), 1)
    return VariantAnalysis(
        name=name,
        classes=class_scores(confusion, predictions.class_names),
        confused=confused_pairs(confusion, predictions.class_names),
        calibration=calibration(predictions.probabilities[name], predictions.labels),
    )


def _compare(predictions: _Predictions, first: str, second: str) -> Disagreement:
    lost = predictions.correct(first) & ~predictions.correct(second)
    gained = predictions.correct(second) & ~predictions.correct(first)
    return Disagreement(
        first=first,
        second=second,
        differ=int((predictions.classes(first) != predictions.classes(second)).sum()),
        only_first_right=int(lost.sum()),
        only_second_right=int(gained.sum()),
        lost=predictions.cases(lost, second, (first, second)),
        gained=predictions.cases(gained, first, (first, second)),
    )
