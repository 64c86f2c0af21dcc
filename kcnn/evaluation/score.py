"""The score of logits on a whole data set."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import confusion_matrix

from kcnn.notebook import html_table


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicted the classes of a whole data set.

    Every fraction is between 0 and 1.

    Attributes:
        accuracy: the share of images whose class the model predicted.
        top5_accuracy: the share of images whose class is among the five most likely ones.
        loss: mean cross-entropy of the model's probabilities, in nats.
        per_class: the accuracy on the images of each class; 0 for a class without images.
        confusion: int [classes, classes]; `confusion[true, predicted]` counts images.
        count: the number of images.
        logits: float32 [count, classes], in the order of the data set; of a model that answers with
            probabilities, their logarithms.
        labels: int [count], the true classes, in the same order.
        tta: the test-time augmentation. Two scores compare only if it is the same for both.
    """

    accuracy: float
    top5_accuracy: float
    loss: float
    per_class: tuple[float, ...]
    confusion: np.ndarray
    count: int
    logits: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    tta: str = "none"

    @property
    def balanced_accuracy(self) -> float:
        """The mean accuracy of the classes that have images, 0 to 1: rare classes count as much."""
        present = self.confusion.sum(axis=1) > 0
        return float(np.array(self.per_class)[present].mean())

    @property
    def f1(self) -> tuple[float, ...]:
        """The harmonic mean of precision and recall of each class, 0 to 1; 0 without images."""
        found = 2 * np.diag(self.confusion)
        counts = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        return tuple(np.divide(found, np.maximum(counts, 1)).tolist())

    def _repr_html_(self) -> str:
        score = [[f"{self.accuracy:.2%}", f"{self.top5_accuracy:.2%}", self.loss, self.count]]
        counts = self.confusion.sum(axis=1)
        rows = [
            [str(index), f"{accuracy:.2%}" if count else "-", f"{f1:.2f}", int(count)]
            for index, (accuracy, f1, count) in enumerate(
                zip(self.per_class, self.f1, counts, strict=True)
            )
        ]
        title = "" if self.tta == "none" else f"test-time augmentation: {self.tta}"
        return html_table(["accuracy", "top-5", "loss", "images"], score, title=title) + html_table(
            ["class", "accuracy", "F1", "images"], rows
        )


def score_logits(logits: np.ndarray, labels: np.ndarray, tta: str = "none") -> Evaluation:
    """Return the score of logits that a model gave for a whole data set.

    Args:
        logits: [count, classes].
        labels: int [count], the true classes.
        tta: the test-time augmentation with which the logits were computed.

    >>> score_logits(np.array([[2.0, 0.0], [1.0, 3.0]]), np.array([0, 0])).accuracy
    0.5
    """
    classes = logits.shape[1]
    ranked = np.argsort(-logits, axis=1, kind="stable")
    confusion = confusion_matrix(labels, ranked[:, 0], labels=np.arange(classes))
    correct, totals = np.diag(confusion), confusion.sum(axis=1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return Evaluation(
        accuracy=float(correct.sum() / len(labels)),
        top5_accuracy=float((ranked[:, :5] == labels[:, None]).any(axis=1).mean()),
        loss=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        per_class=tuple(np.divide(correct, np.maximum(totals, 1)).tolist()),
        confusion=confusion,
        count=len(labels),
        logits=logits.astype(np.float32),
        labels=labels,
        tta=tta,
    )
