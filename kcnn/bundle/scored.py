"""The score of a bundle's file on all test images, and which classes it confuses."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix

from kcnn.answers import as_probabilities
from kcnn.bundle.manifest import Score
from kcnn.bundle.reading import decided, predicts_several
from kcnn.data import Data
from kcnn.evaluation import evaluate


@dataclass(frozen=True)
class Scored:
    """How a file answers all test images.

    Attributes:
        score: its accuracy.
        confusion: int [classes, classes]; `confusion[true, predicted]` counts images.
    """

    score: Score
    confusion: np.ndarray


def scored(file: Path, data: Data, threshold: float | None, outputs: int) -> Scored | None:
    """Score a file on all test images; None if it predicts several classes.

    Args:
        file: the int8 model.
        data: its test images have one class each.
        threshold: the probability from which a class is predicted; None for the most probable one.
        outputs: how many the model has.
    """
    if predicts_several(threshold, outputs):
        return None
    found = evaluate(file, data.test, expected_count=data.num_test)
    if threshold is None:
        return Scored(Score(found.accuracy, found.count), found.confusion)
    predicted = decided(as_probabilities(found.logits, None), threshold, outputs)
    confusion = confusion_matrix(found.labels, predicted, labels=np.arange(2))
    return Scored(Score(float(np.mean(predicted == found.labels)), found.count), confusion)
