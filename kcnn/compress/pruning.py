"""Magnitude pruning: train a little longer while the smallest weights become zero for good."""

import logging
import math
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from numbers import Integral, Real
from pathlib import Path

import keras
import numpy as np

from kcnn.compress.child import Child, start
from kcnn.compress.graph import describe, write_job
from kcnn.compress.kernels import PRUNED_WEIGHT, zero_fractions
from kcnn.compress.kernels import sparsity as measured_sparsity
from kcnn.data import Data
from kcnn.errors import unknown
from kcnn.models.fits import check_fit

SCHEDULES = ("polynomial", "constant")

# The masks are renewed about so many times on the way to the final sparsity: each time costs a
# sort of all weights.
MASK_UPDATES = 32

# Relative, for the Keras 2 copy of the model: rounding stays far below it even in bfloat16, a layer
# that means something else does not.
TOLERANCE = 0.05

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class PruneResult:
    """A pruned model and how it came about."""

    model: keras.Model
    """A new model of stock layers, not compiled."""
    sparsity: float
    """Zero fraction over all pruned kernels, measured, 0 to 1."""
    layer_sparsity: dict[str, float]
    """The same for each layer with a pruned kernel."""
    history: dict[str, list[float]]
    """Training loss, accuracy and sparsity after each epoch."""
    epochs: int
    seconds: float


def prune(
    model: keras.Model,
    data: Data,
    *,
    sparsity: float = 0.8,
    epochs: int = 2,
    schedule: str = "polynomial",
    learning_rate: float = 1e-3,
) -> PruneResult:
    """Set the smallest weights of a trained model to zero while it trains on, by TF-MOT.

    Use it for a smaller download: zeros compress well, so gzip shrinks the file, at float and at
    int8. It does not make inference faster. All kernels of convolutions and of `Dense` layers are
    pruned, each to the same sparsity, as TF-MOT's guide does; biases, batch norms and depthwise
    kernels stay whole. Adam starts at `learning_rate` and follows a cosine down to zero.
    Pruning a pruned model goes on from the zeros it has.

    Paper: Zhu and Gupta, "To prune, or not to prune" (2017), https://arxiv.org/abs/1710.01878.

    Args:
        model: a trained Keras 3 model from `data.image_shape` to one logit a class, Sequential or
            functional, of kcnn or your own. It is left as it is.
        data: what `kcnn.data.load` returns; only `data.train` is read.
        sparsity: fraction of the weights that become zero, above 0 and below 1.
        epochs: passes over the training images; more of them cost less accuracy.
        schedule: "polynomial" rises to `sparsity` during the first half of the training and leaves
            the second half for recovery; "constant" prunes at once, before the first step.
        learning_rate: at the start. 1e-3 suits a short run after training with Adam.

    Raises:
        ValueError: an argument is out of its range, the model does not fit the data, or one of its
            layers cannot be carried to TF-MOT; the message names it.
        RuntimeError: the data cannot be read, the loss became NaN, or the process in which TF-MOT
            runs died.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20)
    >>> result = prune(kcnn.models.build("simple_cnn"), data, sparsity=0.5, epochs=1)
    >>> round(result.sparsity, 3)
    0.5
    """
    _check_settings(sparsity, epochs, schedule, learning_rate)
    _check_model(model, data)
    end_step, frequency = _mask_updates(schedule, epochs * data.steps_per_epoch)
    settings = {
        "sparsity": _targets(model, sparsity),
        "end_step": end_step,
        "frequency": frequency,
        "epochs": int(epochs),
        "steps_per_epoch": data.steps_per_epoch,
        "learning_rate": float(learning_rate),
        "dtypes": [spec.dtype.name for spec in data.train.element_spec],
        "soft_labels": data.train.element_spec[1].shape.rank == 2,
    }
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kcnn-prune-") as name:
        folder = Path(name)
        write_job(folder, model, settings)
        with start(folder) as child:
            history = _train(child, data, epochs)
        with np.load(folder / "pruned.npz") as weights:
            pruned = _copy(model, weights)
    return PruneResult(
        model=pruned,
        sparsity=measured_sparsity(pruned),
        layer_sparsity=zero_fractions(pruned),
        history=history,
        epochs=epochs,
        seconds=time.perf_counter() - started,
    )


def _check_settings(sparsity: float, epochs: int, schedule: str, learning_rate: float) -> None:
    if not isinstance(sparsity, Real) or not 0 < sparsity < 1:
        raise ValueError(f"sparsity must lie between 0 and 1. Received: sparsity={sparsity!r}")
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be an integer of at least 1. Received: epochs={epochs!r}")
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    if not isinstance(learning_rate, Real) or not 0 < learning_rate < math.inf:
        raise ValueError(
            f"learning_rate must be a positive number. Received: learning_rate={learning_rate!r}"
        )


def _check_model(model: keras.Model, data: Data) -> None:
    describe(model)  # first, for it says what is wrong with a model that has no one shape
    check_fit(model, data.image_shape, len(data.class_names))
    if data.steps_per_epoch < 1:
        raise ValueError("data.train has no whole batch: load it with a smaller batch_size.")


def _targets(model: keras.Model, sparsity: float) -> dict[str, tuple[float, float]]:
    """Return each kernel's sparsity at the beginning and at the end."""
    zeros = zero_fractions(model)
    if not zeros:
        raise ValueError(f"Model {model.name!r} has no kernel of {', '.join(PRUNED_WEIGHT)}.")
    if measured_sparsity(model) >= sparsity:
        raise ValueError(
            f"The model is already {measured_sparsity(model):.1%} zeros: ask for a higher "
            f"sparsity. Received: sparsity={sparsity}"
        )
    return {name: (before, max(before, float(sparsity))) for name, before in zeros.items()}


def _mask_updates(schedule: str, steps: int) -> tuple[int, int]:
    """Return the step of the last update of the masks and the distance between updates.

    Steps count from 1, which is always an update: the zeros that are already there must not train.
    The last one must fall on a multiple of the distance, or TF-MOT would miss the final sparsity.

    >>> _mask_updates("polynomial", 700)
    (341, 10)
    >>> _mask_updates("polynomial", 20)
    (10, 1)
    >>> _mask_updates("constant", 700)
    (1, 1)
    """
    room = max(0, steps // 2 - 1) if schedule == "polynomial" else 0
    frequency = max(1, room // MASK_UPDATES)
    return 1 + room // frequency * frequency, frequency


def _train(child: Child, data: Data, epochs: int) -> dict[str, list[float]]:
    batches = _batches(data, epochs * data.steps_per_epoch)
    batches = chain([next(batches)], batches)  # the first is made while the child is starting
    difference = child.receive()["difference"]
    logger.debug("Keras 2 copy of the model: relative difference %.1e", difference)
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"The Keras 2 copy of the model answers differently (by {difference:.1%} of the "
            "largest logit), so TF-MOT would prune another model."
        )
    history = {"loss": [], "accuracy": [], "sparsity": []}
    for epoch in range(1, epochs + 1):
        for images, labels in islice(batches, data.steps_per_epoch):
            child.send(images, labels)
        report = child.receive()
        for key, values in history.items():
            values.append(report[key])
        progress = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.items())
        logger.info("pruning epoch %d/%d: %s", epoch, epochs, progress)
        if not math.isfinite(report["loss"]):
            raise RuntimeError(f"The loss became {report['loss']}: use a lower learning_rate.")
    child.receive()  # the weights are written
    return history


def _batches(data: Data, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield exactly `count` training batches; the child would wait for the missing ones."""
    yielded = 0
    try:
        # One iterator for all epochs: making one anew costs seconds.
        for batch in data.train.repeat().take(count).as_numpy_iterator():
            yield batch
            yielded += 1
    except Exception as error:
        # TensorFlow puts the names of its own nodes in double braces.
        reason = " ".join(re.sub(r"\{\{.*?\}\}", "", str(error)).split())[:300]
        raise RuntimeError(f"Reading data.train failed: {reason}") from error
    if yielded < count:
        raise RuntimeError(f"data.train ended after {yielded} of {count} batches.")


def _copy(model: keras.Model, weights: dict[str, np.ndarray]) -> keras.Model:
    """Return a copy of `model` with other weights."""
    # `clone_model` would also compile the copy, and fail on a loss of the caller's own.
    make = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    copy = make.from_config(model.get_config())
    for layer in copy.layers:
        layer.set_weights([weights[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    return copy
