"""From a model in any form and a data set to its score."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
from sklearn.metrics import confusion_matrix

from kcnn import models
from kcnn.evaluation.views import PredictFn, averaged

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data.device import Batches


@dataclass(frozen=True)
class Evaluation:
    """How well the classes of a whole data set were told.

    Every fraction is between 0 and 1; `confusion[true, predicted]` counts images. `tta` names the
    test-time augmentation, without which another score can only be compared if it had the same.
    What the model said of each image is in `logits`, float32 [count, classes], and what it should
    have said in `labels`, int [count], both in the order of the data set.
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


def evaluate(
    model: keras.Model | PredictFn | str | os.PathLike,
    dataset: "tf.data.Dataset | Batches",
    *,
    expected_count: int | None = None,
    tta: str = "none",
) -> Evaluation:
    """Score a model on every image of `dataset`.

    Args:
        model: a Keras model, the path of a `.keras` or `.tflite` file, or any function from
            uint8 images `[batch, height, width, channels]` to logits `[batch, classes]`.
        dataset: batches of (uint8 images, integer labels), such as `data.test`.
        expected_count: the number of images there must be, such as `data.num_test`; a data set
            that was cut short is an error, not a better score.
        tta: test-time augmentation, one of `kcnn.evaluation.TTA`: the logits are averaged over the
            2 views of "flip" or the 6 of "flip_shift", in 2 or 6 times the time. It suits images
            whose mirror image belongs to the same class; name it with the score.

    Returns:
        Accuracy, top-5 accuracy, mean cross-entropy (nats), per-class accuracy and confusion.

    Raises:
        ValueError: the file is no model, the images do not fit it, or `tta` is unknown.
        RuntimeError: there were no images, or not `expected_count` of them.

    >>> import kcnn
    >>> data = kcnn.data.load("digits")
    >>> def always_three(images):
    ...     return np.tile(np.eye(10, dtype=np.float32)[3], (len(images), 1))
    >>> evaluation = evaluate(always_three, data.test, expected_count=data.num_test)
    >>> round(evaluation.accuracy, 1), evaluation.per_class[3]
    (0.1, 1.0)
    """
    predict = averaged(predictor(model), tta)
    outputs, labels = [], []
    for images, truth in dataset.as_numpy_iterator():
        outputs.append(np.asarray(predict(images), np.float64))
        labels.append(truth)
    count = sum(map(len, labels))
    if not count or count != (expected_count or count):
        raise RuntimeError(f"Scored {count} images, expected {expected_count or 'some'}.")
    logits, truth = np.concatenate(outputs), np.concatenate(labels)
    if truth.max() >= logits.shape[1]:
        raise ValueError(
            f"The model tells {logits.shape[1]} classes, the data have label {truth.max()}: "
            "it was made for other data."
        )
    return _score(logits, truth, tta)


def predictor(model: keras.Model | PredictFn | str | os.PathLike) -> PredictFn:
    """Return the function from uint8 images to logits that a model or model file stands for."""
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        if path.suffix == ".tflite":
            from kcnn.litert import TFLiteClassifier  # LiteRT goes with TensorFlow

            return TFLiteClassifier(path)
        model = models.load(path)
    return model.predict_on_batch if isinstance(model, keras.Model) else model


def _score(logits: np.ndarray, labels: np.ndarray, tta: str) -> Evaluation:
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
