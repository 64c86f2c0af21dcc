"""From a model, a model file or a function, and a data set, to its score."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.metrics import confusion_matrix

from kcnn import models
from kcnn.answers import UNKNOWN, Logits
from kcnn.data.own_batches import class_numbers, read_batches
from kcnn.evaluation.views import UNSURE, PredictFn, average_unsure, averaged
from kcnn.models.final_activation import final_activation
from kcnn.models.input_range import check_range
from kcnn.models.interface import check_single
from kcnn.notebook import html_table
from kcnn.progress import Progress


class NotFinite(RuntimeError):
    """A model answered NaN or infinity, which has no score."""


Classifier = keras.Model | PredictFn | str | os.PathLike
"""A Keras model, the path of a `.keras` or `.tflite` file, or a function from uint8 images
[B, H, W, C] to logits or probabilities [B, classes]."""


Batches = Any
"""Batches of images and labels, as `kcnn.data.own_batches.TAKEN` says."""


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


def evaluate(
    model: Classifier,
    dataset: Batches,
    *,
    expected_count: int | None = None,
    tta: str = "none",
) -> Evaluation:
    """Score a model on every image of `dataset`.

    A model may answer with logits, or with probabilities from a softmax or from sigmoids: its graph
    tells, or where it does not, its answers. A single output stands for two classes.

    Args:
        model: a Keras model, the path of a `.keras` or `.tflite` file, or any function from
            uint8 images `[batch, height, width, channels]` to answers `[batch, classes]`.
        dataset: batches of (uint8 images, class numbers or one-hot labels), such as `data.test`: a
            `tf.data.Dataset`, batched or not, a Keras `PyDataset`, a PyTorch `DataLoader`, or a
            pair of arrays.
        expected_count: the number of images there must be, such as `data.num_test`; a data set
            that was cut short is an error, not a better score.
        tta: test-time augmentation, one of `kcnn.evaluation.TTA`: the logits are averaged over the
            2 views of "flip" or the 6 of "flip_shift", in 2 or 6 times the time.
            "flip_shift_unsure" averages over 6 views only for the quarter of the images of which
            the model is least sure, in 2.5 times the time; it keeps all images in memory. All suit
            images whose mirror image belongs to the same class; name them with the score.

    Returns:
        Accuracy, top-5 accuracy, mean cross-entropy (nats), per-class accuracy and confusion.

    Raises:
        ValueError: the file is no model, the images do not fit it, or `tta` is unknown.
        RuntimeError: there were no images, or not `expected_count` of them, or a logit is NaN or
            infinite.

    >>> import kcnn
    >>> data = kcnn.data.load("digits")
    >>> def always_three(images):
    ...     return np.tile(np.eye(10, dtype=np.float32)[3], (len(images), 1))
    >>> evaluation = evaluate(always_three, data.test, expected_count=data.num_test)
    >>> round(evaluation.accuracy, 1), evaluation.per_class[3]
    (0.1, 1.0)
    """
    predict = predictor(model)
    if tta != UNSURE:
        (logits,), labels = answers((averaged(predict, tta),), dataset, expected_count)
        return score_logits(logits, labels, tta)
    batches: list[np.ndarray] = []

    def predict_and_keep(images: np.ndarray) -> np.ndarray:
        batches.append(images)
        return predict(images)

    (logits,), labels = answers((predict_and_keep,), dataset, expected_count)
    return score_logits(average_unsure(predict, batches, logits), labels, tta)


def predictor(model: Classifier) -> Logits:
    """Return the function from images to logits that a model or model file stands for.

    Raises:
        ValueError: the file is no model, or the model has several inputs or outputs.
    """
    if isinstance(model, Logits):
        return model
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        if path.suffix == ".tflite":
            from kcnn.litert import TFLiteClassifier  # LiteRT is installed with TensorFlow only

            classifier = TFLiteClassifier(path)
            step = classifier.output_scale
            return Logits(classifier, classifier.final_activation, step=step)
        model = models.load(path)
    if not isinstance(model, keras.Model):
        return Logits(model, UNKNOWN)
    check_single(model, "An evaluation")
    return Logits(_looking_once(model), final_activation(model))


def _looking_once(model: keras.Model) -> PredictFn:
    """Return what a model answers to a batch; the pixels of the first one are looked at."""
    looked = False

    def answer(images: np.ndarray) -> Any:
        nonlocal looked
        if not looked:
            looked = True
            check_range(model, images)
        return model.predict_on_batch(images)

    return answer


def answers(
    predictors: tuple[Callable[[np.ndarray], Any], ...],
    dataset: Batches,
    expected_count: int | None = None,
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return every predictor's logits, float64 [N, classes], and the labels, int [N].

    All of them see the same batches, so a data set that shuffles is no problem.

    Raises:
        ValueError: the data set is none, or a label is not among the classes of a predictor.
        NotFinite: a RuntimeError: a logit is NaN or infinite.
        RuntimeError: there were no images, or not `expected_count` of them.
    """
    outputs: list[list[np.ndarray]] = [[] for _ in predictors]
    labels: list[np.ndarray] = []
    progress = Progress("scoring images", _count_batches(dataset))
    for images, truth, _ in read_batches(dataset):
        progress.add()
        for found, predict in zip(outputs, predictors, strict=True):
            found.append(np.asarray(predict(images), np.float64))
        labels.append(class_numbers(truth))
    count = sum(map(len, labels))
    if not count or count != (expected_count or count):
        raise RuntimeError(f"Scored {count} images, expected {expected_count or 'some'}.")
    truth = np.concatenate(labels)
    logits = tuple(np.concatenate(found) for found in outputs)
    for each in logits:
        if wrong := int((~np.isfinite(each)).any(axis=1).sum()):
            raise NotFinite(
                f"The model's logits are NaN or infinite for {wrong} of {count} images: its "
                "training diverged, or its file is damaged."
            )
        if truth.max() >= each.shape[1]:
            raise ValueError(
                f"The model predicts {each.shape[1]} classes, the data have label {truth.max()}: "
                "it was made for other data."
            )
    return logits, truth


def _count_batches(dataset: Any) -> int | None:
    try:
        return len(dataset) if hasattr(dataset, "cardinality") else None
    except TypeError:  # of a `tf.data.Dataset` that does not know
        return None


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
