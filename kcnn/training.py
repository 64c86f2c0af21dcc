"""Training: compile and fit, with the callbacks and the checks that a run of hours wants."""

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from kcnn.callbacks import EpochLog, standard
from kcnn.data import Data
from kcnn.errors import unknown

Schedule = keras.optimizers.schedules.LearningRateSchedule

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class TrainResult:
    """What training gave: the model, and how it got there."""

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    """Counted from 1: the epoch whose weights the model has."""
    seconds: float
    stop_reason: str

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])


def train(
    model: keras.Model,
    data: Data,
    *,
    epochs: int,
    optimizer: str | keras.optimizers.Optimizer = "adam",
    learning_rate: float | Schedule = 1e-3,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    run_dir: str | os.PathLike | None = None,
) -> TrainResult:
    """Compile `model` for its logits and fit it to `data.train`, judged on `data.validation`.

    For a loop of your own, `model.compile` and `model.fit(data.train, ...)` do as well: nothing
    here is needed to train.

    Args:
        model: any Keras model from `data.image_shape` to one logit a class.
        data: what `kcnn.data.load` returns.
        epochs: passes over the training images.
        optimizer: a name (`adam`, `adamw`, `rmsprop`, `sgd`) or an optimizer of your own, which
            brings its own learning rate.
        learning_rate: of the named optimizer: a number, or a schedule such as `cosine`.
        callbacks: None for `kcnn.callbacks.standard(run_dir)`.
        run_dir: folder for the standard callbacks' checkpoints and `history.csv`.

    Raises:
        ValueError: the model does not fit the data, or ReduceLROnPlateau meets a schedule.
        RuntimeError: the loss became NaN.

    >>> import kcnn
    >>> logger.setLevel(logging.INFO)  # lines in the log instead of the progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> result = kcnn.train(kcnn.models.lenet5(), data, epochs=1)
    >>> result.epochs, result.stop_reason
    (1, 'finished')
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1. Received: epochs={epochs}")
    _check_fit(model, data)
    optimizer = make_optimizer(optimizer, learning_rate)
    if callbacks is None:
        scheduled = isinstance(getattr(optimizer, "_learning_rate", None), Schedule)
        callbacks = standard(run_dir, plateau=not scheduled)
    _check_callbacks(callbacks, optimizer)
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    # The progress bar is for terminals and notebooks; whoever reads our log gets lines instead.
    lines = logger.isEnabledFor(logging.INFO) and not sys.stdout.isatty()
    started = time.perf_counter()
    history = model.fit(
        data.train.repeat(),  # one iterator for all epochs: making one anew costs seconds
        steps_per_epoch=data.steps_per_epoch,
        epochs=epochs,
        validation_data=data.validation,
        callbacks=[*callbacks, *([EpochLog()] if lines else [])],
        shuffle=False,  # the data set shuffles itself
        verbose=0 if lines else 1,
    )
    return _result(model, history.history, callbacks, time.perf_counter() - started)


def make_optimizer(
    optimizer: str | keras.optimizers.Optimizer,
    learning_rate: float | Schedule = 1e-3,
    weight_decay: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Return an optimizer by name: SGD with Nesterov momentum 0.9, the others as Keras has them.

    `weight_decay` is decoupled, as always in Keras, and spares biases and batch norm.
    For SGD with momentum 0.9, PyTorch's `weight_decay=5e-4` is about 5e-3 here.

    Raises:
        ValueError: the name is not known.

    >>> make_optimizer("sgd", 0.1).nesterov
    True
    """
    if not isinstance(optimizer, str):
        return optimizer
    if optimizer not in OPTIMIZERS:
        raise unknown("optimizer", optimizer, OPTIMIZERS)
    extra = {"momentum": 0.9, "nesterov": True} if optimizer == "sgd" else {}
    made = OPTIMIZERS[optimizer](learning_rate, weight_decay=weight_decay or None, **extra)
    if weight_decay:
        made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made


def cosine(
    learning_rate: float, *, epochs: int, steps_per_epoch: int, warmup_epochs: float = 0.0
) -> Schedule:
    """Return a rate that climbs to `learning_rate`, then falls along a cosine to zero.

    Loshchilov & Hutter, "SGDR" (arXiv:1608.03983), without restarts.

    Raises:
        ValueError: the warm-up leaves no epoch to fall.

    >>> rate = cosine(0.1, epochs=10, steps_per_epoch=100, warmup_epochs=1)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100, 550, 1000)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if not 0 <= warmup_epochs < epochs:
        raise ValueError(f"warmup_epochs must lie in [0, {epochs}). Received: {warmup_epochs}")
    warmup = round(warmup_epochs * steps_per_epoch)
    fall = epochs * steps_per_epoch - warmup
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(learning_rate, fall)
    return keras.optimizers.schedules.CosineDecay(
        0.0, fall, warmup_target=learning_rate, warmup_steps=warmup
    )


def _check_fit(model: keras.Model, data: Data) -> None:
    image_shape, classes = tuple(model.input_shape[1:]), model.output_shape[-1]
    if image_shape != data.image_shape:
        raise ValueError(
            f"The model takes images of shape {image_shape}, the data has {data.image_shape}: "
            f"build it with input_shape={data.image_shape}."
        )
    if classes != len(data.class_names):
        raise ValueError(
            f"The model has {classes} outputs, the data {len(data.class_names)} classes: "
            f"build it with num_classes={len(data.class_names)}."
        )


def _check_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], optimizer: keras.optimizers.Optimizer
) -> None:
    """Keras finds this clash only when the plateau comes, maybe hours later."""
    plateau = any(isinstance(each, keras.callbacks.ReduceLROnPlateau) for each in callbacks)
    if plateau and isinstance(getattr(optimizer, "_learning_rate", None), Schedule):
        raise ValueError(
            "ReduceLROnPlateau cannot change a learning rate that a schedule sets: leave one "
            "of the two out, e.g. kcnn.callbacks.standard(plateau=False)."
        )


def _result(
    model: keras.Model,
    history: dict[str, list[float]],
    callbacks: Sequence[keras.callbacks.Callback],
    seconds: float,
) -> TrainResult:
    epochs = len(history["loss"])
    best, reason = epochs, "finished"
    for each in callbacks:
        if isinstance(each, keras.callbacks.EarlyStopping):
            if each.restore_best_weights:
                best = each.best_epoch + 1
            if each.stopped_epoch:
                reason = f"{each.monitor} was no better for {each.patience} epochs"
    logger.info("trained %d epochs in %.0f s: %s; best epoch %d", epochs, seconds, reason, best)
    return TrainResult(model, history, best, seconds, reason)
