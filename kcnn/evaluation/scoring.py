"""From a model, a model file or a function, and a data set, to its score."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcnn import models
from kcnn.answers import UNKNOWN, Logits
from kcnn.data.own_batches import class_numbers, read_batches
from kcnn.evaluation.score import Evaluation, score_logits
from kcnn.evaluation.views import UNSURE, PredictFn, average_unsure, averaged
from kcnn.models.final_activation import final_activation
from kcnn.models.input_range import check_range
from kcnn.models.interface import check_single, check_size
from kcnn.progress import Progress


class NotFinite(RuntimeError):
    """A model answered NaN or infinity, which has no score."""


Classifier = keras.Model | PredictFn | str | os.PathLike
"""A Keras model, the path of a `.keras` or `.tflite` file, or a function from uint8 images
[B, H, W, C] to logits or probabilities [B, classes]."""


Batches = Any
"""Batches of images and labels, as `kcnn.data.own_batches.TAKEN` says."""


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

            model = TFLiteClassifier(path)
        else:
            model = models.load(path)
    file: Any = model
    if hasattr(file, "final_activation") and hasattr(file, "output_scale"):  # a TFLiteClassifier
        return Logits(file, file.final_activation, step=file.output_scale)
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
            check_size(model, images)
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
