"""Train a model by TF-MOT in a child process: shared by pruning, clustering and QAT."""

import logging
import math
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import keras
import numpy as np

from kcnn.checks import check_count, check_positive
from kcnn.compress.bridge.training import Training
from kcnn.compress.child import Child, start_child
from kcnn.compress.to_keras2 import describe_layers, write_job
from kcnn.data.checks import check_is_data
from kcnn.data.jax_data import JaxData
from kcnn.models.fits import check_fit, check_graph
from kcnn.progress import Progress
from kcnn.training.loop_tensorflow import has_soft_labels
from kcnn.training.objective import ALPHA, TEMPERATURE

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data

# Largest accepted error of the Keras 2 copy, relative to its largest logit: rounding stays far
# below it even in bfloat16, a layer that computes something else does not.
TOLERANCE = 0.05

Batch = tuple[np.ndarray, ...]

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Finetuned:
    """What the child process returned.

    Attributes:
        arrays: the result of the job; usually all weights, by the keys of
            `to_keras2.named_weights`.
        history: each reported quantity, one value an epoch.
        seconds: from the start of the child to its end.
    """

    arrays: dict[str, np.ndarray]
    history: dict[str, list[float]]
    seconds: float


def check_budget(epochs: int, learning_rate: float) -> None:
    """Raise ValueError unless `epochs` is a count and `learning_rate` a positive, finite number."""
    check_count("epochs", epochs)
    check_positive("learning_rate", learning_rate)


def check_models(model: keras.Model, teacher: keras.Model | None, data: "Data") -> None:
    """Raise ValueError unless Keras 2 can rebuild `model`, and it and the teacher fit the data."""
    check_is_data(data)
    check_graph(model, "Compression")
    describe_layers(model)  # before the data: it refuses models that have no single input shape
    check_data(model, data, teacher)


def check_data(
    model: keras.Model, data: "Data | JaxData", teacher: keras.Model | None = None
) -> None:
    """Raise ValueError if the model or the teacher does not fit the data, or no batch is whole."""
    check_is_data(data)
    check_graph(model, "Compression")
    check_fit(model, data.image_shape, len(data.class_names))
    if data.steps_per_epoch < 1:
        raise ValueError("data.train has no whole batch: load it with a smaller batch_size.")
    if teacher is not None:
        check_fit(teacher, data.image_shape, len(data.class_names), called="teacher")


def finetune(  # noqa: PLR0913 - one argument for each part of a training
    job: str,
    model: keras.Model,
    data: "Data",
    settings: dict,
    *,
    epochs: int,
    learning_rate: float,
    teacher: keras.Model | None = None,
) -> Finetuned:
    """Do a job of `kcnn.compress.bridge` in a child process, and log each of its epochs.

    The logits of a `teacher` are computed here, by Keras 3, and sent along with the images.

    Raises:
        ValueError: Keras 2 cannot rebuild the model.
        RuntimeError: the data cannot be read, the loss became NaN, or the child process died.
    """
    specs = cast("tuple[tf.TensorSpec, ...]", data.train.element_spec)
    if len(specs) != 2:
        raise ValueError(
            "TF-MOT trains on (images, labels) only: leave the weights of images out. kcnn.prune "
            "and kcnn.quantize_aware take them with engine='keras'. "
            f"Received: batches of {len(specs)} parts."
        )
    training = Training(
        epochs=int(epochs),
        steps_per_epoch=data.steps_per_epoch,
        learning_rate=float(learning_rate),
        dtypes=[spec.dtype.name for spec in specs] + ["float32"] * (teacher is not None),
        soft_labels=has_soft_labels(data),
        temperature=None if teacher is None else TEMPERATURE,
        alpha=ALPHA,
    )
    batches = _read_batches(data, training.epochs * training.steps_per_epoch)
    if teacher is not None:
        batches = _add_logits(batches, teacher)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kcnn-bridge-") as name:
        folder = Path(name)
        write_job(folder, model, {"name": job, "settings": settings, "training": asdict(training)})
        with start_child(folder) as child:
            history = _train(child, batches, training, job)
        with np.load(folder / "result.npz") as arrays:
            result = dict(arrays)
    return Finetuned(result, history, time.perf_counter() - started)


def _train(
    child: Child, batches: Iterator[Batch], training: Training, job: str
) -> dict[str, list[float]]:
    batches = chain([next(batches)], batches)  # reads the first while the child is starting
    difference = child.receive()["difference"]
    logger.debug("Keras 2 copy of the model: relative difference %.1e", difference)
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"The Keras 2 copy of the model has other logits (by {difference:.1%} of the largest "
            "one), so TF-MOT would train another model."
        )
    history: dict[str, list[float]] = {}
    for epoch in range(1, training.epochs + 1):
        title = f"{job}: epoch {epoch}/{training.epochs}"
        progress = Progress(title, training.steps_per_epoch)
        for batch in islice(batches, training.steps_per_epoch):
            child.send(*batch)
            progress.add()
        report = child.receive()
        for key, value in report.items():
            history.setdefault(key, []).append(value)
        reached = ", ".join(f"{key} {value:.4f}" for key, value in report.items())
        logger.info("%s epoch %d/%d: %s", job, epoch, training.epochs, reached)
        if not math.isfinite(report["loss"]):
            raise RuntimeError(f"The loss became {report['loss']}: use a lower learning_rate.")
    child.receive()  # the result is written
    return history


def _read_batches(data: "Data", count: int) -> Iterator[Batch]:
    """Yield exactly `count` training batches, those of the first epochs.

    Raises:
        RuntimeError: the data cannot be read or end earlier: the child would wait for the rest.
    """
    yielded = 0
    try:
        # One iterator for all epochs: making another one costs seconds.
        for batch in data.batches().take(count).as_numpy_iterator():
            yield cast(Batch, batch)
            yielded += 1
    except Exception as error:
        # TensorFlow names its own nodes in double braces.
        reason = " ".join(re.sub(r"\{\{.*?\}\}", "", str(error)).split())[:300]
        raise RuntimeError(f"Reading data.train failed: {reason}") from error
    if yielded < count:
        raise RuntimeError(f"data.train ended after {yielded} of {count} batches.")


def _add_logits(batches: Iterator[Batch], teacher: keras.Model) -> Iterator[Batch]:
    """Add the teacher's logits to each batch."""
    import tensorflow as tf

    predict = tf.function(lambda images: tf.cast(teacher(images, training=False), tf.float32))
    for images, labels in batches:
        yield images, labels, predict(images).numpy()
