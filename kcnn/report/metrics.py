"""What can be said of a classifier's answers beyond their accuracy, in NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from kcnn.report import json_files


@dataclass(frozen=True)
class ClassScore:
    """How well one class was predicted; every score is between 0 and 1."""

    name: str
    precision: float
    """Share of the images predicted as this class that are of it; 0 if none was."""
    recall: float
    """Share of this class's images that were predicted as it."""
    f1: float
    """The harmonic mean of the two."""
    support: int
    """How many images of the class there are."""


@dataclass(frozen=True)
class ConfusedPair:
    """How often images of one class were predicted as another."""

    truth: str
    predicted: Annotated[str, json_files.formerly("predicted", "told")]
    count: int
    share: float
    """Of all images of the true class."""


@dataclass(frozen=True)
class Calibration:
    """How far a classifier's confidence can be taken at its word; see `calibration`."""

    counts: tuple[int, ...]
    """Images in each bin of confidence; the bins are equally wide and span 0 to 1."""
    confidence: tuple[float, ...]
    """Mean confidence in each bin; 0 in an empty one."""
    accuracy: tuple[float, ...]
    """Share of right answers in each bin; 0 in an empty one."""
    error: float
    """The expected calibration error (ECE), 0 to 1."""
    mean_confidence: float


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits [count, classes], as float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def class_scores(confusion: np.ndarray, class_names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class from counts `confusion[true, predicted]`.

    >>> class_scores(np.array([[3, 1], [0, 4]]), ["cat", "dog"])[0]
    ClassScore(name='cat', precision=1.0, recall=0.75, f1=0.857..., support=4)
    """
    right, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    columns = (
        right / np.maximum(predicted, 1),
        right / np.maximum(support, 1),
        2 * right / np.maximum(predicted + support, 1),
        support,
    )
    return tuple(
        ClassScore(name, *values)
        for name, *values in zip(class_names, *(each.tolist() for each in columns), strict=True)
    )


def confused_pairs(
    confusion: np.ndarray, class_names: Sequence[str], limit: int = 10
) -> tuple[ConfusedPair, ...]:
    """Return the `limit` most frequent mistakes of a matrix of counts `confusion[true, predicted]`.

    >>> confused_pairs(np.array([[3, 1], [0, 4]]), ["cat", "dog"])
    (ConfusedPair(truth='cat', predicted='dog', count=1, share=0.25),)
    """
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = (np.unravel_index(place, wrong.shape) for place in order if wrong.flat[place])
    return tuple(
        ConfusedPair(
            class_names[truth],
            class_names[predicted],
            int(wrong[truth, predicted]),
            float(wrong[truth, predicted] / confusion[truth].sum()),
        )
        for truth, predicted in pairs
    )


def calibration(sure: np.ndarray, labels: np.ndarray, bins: int = 15) -> Calibration:
    """Return how often answers of each confidence are right, and the expected calibration error.

    The confidence is the probability of the class predicted. The error is the mean distance between
    confidence and accuracy over the bins, each weighted by its images.

    Paper: Guo et al., "On Calibration of Modern Neural Networks" (2017),
    https://arxiv.org/abs/1706.04599, equation 3, with their 15 bins.

    Args:
        sure: probabilities [count, classes].
        labels: int [count], the true classes.
        bins: how many bins, each open below and closed above.

    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2]])
    >>> round(calibration(sure, np.array([0, 1]), bins=1).error, 2)  # 85 % sure, 50 % right
    0.35
    """
    confidence, right = sure.max(axis=1), sure.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    mean_confidence, accuracy = (
        np.bincount(place, weights=values, minlength=bins) / np.maximum(counts, 1)
        for values in (confidence, right)
    )
    error = counts @ np.abs(mean_confidence - accuracy) / len(labels)
    return Calibration(
        counts=tuple(counts.tolist()),
        confidence=tuple(mean_confidence.tolist()),
        accuracy=tuple(accuracy.tolist()),
        error=float(error),
        mean_confidence=float(confidence.mean()),
    )
