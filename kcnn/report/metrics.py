"""Scores of a classifier beyond its accuracy: precision, recall, confusions, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from kcnn.evaluation.confusions import most_confused
from kcnn.report import json_files


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class, each 0 to 1.

    Attributes:
        name: the class.
        precision: the share of the images predicted as this class that belong to it; 0 if no image
            was predicted as it.
        recall: the share of this class's images that were predicted as it.
        f1: the harmonic mean of precision and recall.
        support: the number of images of the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of one class were predicted as another.

    Attributes:
        truth: the true class.
        predicted: the predicted class.
        count: the number of such images.
        share: of all images of the true class, 0 to 1.
    """

    truth: str
    predicted: Annotated[str, json_files.formerly("predicted", "told")]
    count: int
    share: float


@dataclass(frozen=True)
class Calibration:
    """How well a classifier's confidence matches its accuracy; see `calibration`.

    Attributes:
        counts: the number of images in each bin of confidence; the bins are equally wide and span
            0 to 1.
        confidence: the mean confidence in each bin; 0 in an empty one.
        accuracy: the share of correct predictions in each bin; 0 in an empty one.
        error: the expected calibration error (ECE), 0 to 1.
        mean_confidence: over all images.
    """

    counts: tuple[int, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    error: float
    mean_confidence: float


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits [count, classes], as float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def class_scores(confusion: np.ndarray, class_names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        class_names: one per class, in order.

    >>> class_scores(np.array([[3, 1], [0, 4]]), ["cat", "dog"])[0]
    ClassScore(name='cat', precision=1.0, recall=0.75, f1=0.857..., support=4)
    """
    correct, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    precision = correct / np.maximum(predicted, 1)
    recall = correct / np.maximum(support, 1)
    f1 = 2 * correct / np.maximum(predicted + support, 1)
    return tuple(
        ClassScore(class_name, float(p), float(r), float(f), int(count))
        for class_name, p, r, f, count in zip(
            class_names, precision, recall, f1, support, strict=True
        )
    )


def confused_pairs(
    confusion: np.ndarray, class_names: Sequence[str], limit: int = 10
) -> tuple[ConfusedPair, ...]:
    """Return the most frequent confusions, at most `limit` of them.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        class_names: one per class, in order.
        limit: how many pairs to return at most.

    >>> confused_pairs(np.array([[3, 1], [0, 4]]), ["cat", "dog"])
    (ConfusedPair(truth='cat', predicted='dog', count=1, share=0.25),)
    """
    return tuple(
        ConfusedPair(
            class_names[truth], class_names[predicted], count, float(count / confusion[truth].sum())
        )
        for truth, predicted, count in most_confused(confusion, limit)
    )


def calibration(probability: np.ndarray, labels: np.ndarray, bins: int = 15) -> Calibration:
    """Return the accuracy of predictions by confidence, and the expected calibration error.

    The confidence is the probability of the predicted class. The error is the mean distance between
    confidence and accuracy over the bins, each weighted by its number of images.

    Paper: Guo et al., "On Calibration of Modern Neural Networks" (2017),
    https://arxiv.org/abs/1706.04599, equation 3, with their 15 bins.

    Args:
        probability: float [count, classes].
        labels: int [count], the true classes.
        bins: how many bins, each open below and closed above.

    >>> probability = np.array([[0.9, 0.1], [0.8, 0.2]])
    >>> error = calibration(probability, np.array([0, 1]), bins=1).error
    >>> round(error, 2)  # a confidence of 85 %, an accuracy of 50 %
    0.35
    """
    confidence, correct = probability.max(axis=1), probability.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    mean_confidence, accuracy = (
        np.bincount(place, weights=values, minlength=bins) / np.maximum(counts, 1)
        for values in (confidence, correct)
    )
    error = counts @ np.abs(mean_confidence - accuracy) / len(labels)
    return Calibration(
        counts=tuple(counts.tolist()),
        confidence=tuple(mean_confidence.tolist()),
        accuracy=tuple(accuracy.tolist()),
        error=float(error),
        mean_confidence=float(confidence.mean()),
    )
