"""Training: compile and fit, with the callbacks and the checks that a run of hours wants."""

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras

from kcnn.callbacks import AveragedStatistics, EpochLog, standard
from kcnn.data.jax_data import JaxData
from kcnn.layers import fast_training
from kcnn.layers.fast import moving_statistics
from kcnn.models.fits import check_fit
from kcnn.training.labels import check_smoothing, labelled
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import Schedule, is_scheduled

if TYPE_CHECKING:
    from kcnn.data import Data

Callbacks = Sequence[keras.callbacks.Callback]

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class TrainResult:
    """What training gave: the model, and how it got there."""

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    """Counted from 1 in `history`: the epoch whose weights the model has."""
    seconds: float
    stop_reason: str

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])

    def followed_by(self, other: "TrainResult") -> "TrainResult":
        """Return both trainings of one model as a single one."""
        history = {
            key: [*values, *other.history[key]]
            for key, values in self.history.items()
            if key in other.history
        }
        return TrainResult(
            model=other.model,
            history=history,
            best_epoch=self.epochs + other.best_epoch,
            seconds=self.seconds + other.seconds,
            stop_reason=other.stop_reason,
        )


def train(  # noqa: PLR0913 - what a training is made of; the defaults are for a first one
    model: keras.Model,
    data: "Data | JaxData",
    *,
    epochs: int,
    optimizer: str | keras.optimizers.Optimizer = "adam",
    learning_rate: float | Schedule = 1e-3,
    label_smoothing: float = 0.0,
    callbacks: Callbacks | None = None,
    run_dir: str | os.PathLike | None = None,
) -> TrainResult:
    """Compile `model` for its logits and fit it to `data.train`, judged on `data.validation`.

    For a loop of your own, `model.compile` and `model.fit(data.train, ...)` do as well: nothing
    here is needed to train.

    An epoch's order and draws follow from the data's seed and the epoch's number alone, and every
    training begins with epoch 0: two trainings on the same data meet the same batches. One that
    Keras's `BackupAndRestore` (of whole epochs) takes up again goes on with the batches that it
    would have met without the stop.

    With an optimizer that averages the weights (`make_optimizer(..., ema=0.999)`), the averages
    are what is judged, saved and kept, and those of batch norms' statistics with them.

    Args:
        model: any Keras model from `data.image_shape` to one logit a class.
        data: what `kcnn.data.load` returns; the training labels may be soft. On the JAX backend,
            `kcnn.data.JaxData` is trained on without leaving the device, unless a callback
            looks at batches (`kcnn.callbacks.EveryFewSteps` less than others).
        epochs: passes over the training images.
        optimizer: a name (`adam`, `adamw`, `rmsprop`, `sgd`) or an optimizer, of your own or from
            `kcnn.training.make_optimizer`, which brings its own learning rate.
        learning_rate: of the named optimizer: a number, or one of `kcnn.training.schedules`.
        label_smoothing: share of each training label that is spread evenly over all classes.
        callbacks: None for `kcnn.callbacks.standard(run_dir)`.
        run_dir: folder for the standard callbacks' checkpoints and `history.csv`.

    Raises:
        ValueError: the model does not fit the data, an argument is out of its range, or
            ReduceLROnPlateau meets a schedule.
        RuntimeError: the loss became NaN.

    >>> import kcnn
    >>> logger.setLevel(logging.INFO)  # lines in the log instead of the progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> result = kcnn.train(kcnn.models.simple_cnn(), data, epochs=1)
    >>> result.epochs, result.stop_reason
    (1, 'finished')
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1. Received: epochs={epochs}")
    check_fit(model, data.image_shape, len(data.class_names))
    optimizer = make_optimizer(optimizer, learning_rate)
    if callbacks is None:
        callbacks = standard(run_dir, plateau=not is_scheduled(optimizer))
    _check_callbacks(callbacks, optimizer)
    # The progress bar is for terminals and notebooks; whoever reads our log gets lines instead.
    lines = logger.isEnabledFor(logging.INFO) and not sys.stdout.isatty()
    called = keras.callbacks.CallbackList(
        [
            *_averaging(model, callbacks, optimizer),
            *callbacks,
            *([EpochLog()] if lines else []),
        ],
        add_history=True,
        add_progbar=not lines,
        model=model,
        verbose=0 if lines else 1,
        epochs=epochs,
        steps=data.steps_per_epoch,
    )
    started = time.perf_counter()
    fit = _fit_on_device if isinstance(data, JaxData) else _fit
    fit(model, data, optimizer, label_smoothing, called)
    return _result(model, callbacks, time.perf_counter() - started)


def _fit(
    model: keras.Model,
    data: "Data",
    optimizer: keras.optimizers.Optimizer,
    label_smoothing: float,
    callbacks: keras.callbacks.CallbackList,
) -> None:
    import tensorflow as tf

    with tf.device("CPU"):  # where tf.data reads it
        first = tf.Variable(0, trainable=False, dtype=tf.int64)
    # After the user's callbacks, one of which may take up a training that was stopped.
    callbacks.callbacks.append(
        keras.callbacks.LambdaCallback(
            on_train_begin=lambda _: first.assign(model._initial_epoch or 0)
        )
    )
    training, validation, loss = labelled(data, label_smoothing, epoch=first)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    model._initial_epoch = None  # Keras keeps what an earlier training's BackupAndRestore set
    with fast_training(model):
        model.fit(
            training,  # one iterator for all epochs: another one would cost seconds
            steps_per_epoch=data.steps_per_epoch,
            epochs=callbacks.params["epochs"],
            validation_data=validation,
            callbacks=callbacks,
            shuffle=False,  # the data set shuffles itself
            verbose=callbacks.params["verbose"],
        )


def _fit_on_device(
    model: keras.Model,
    data: JaxData,
    optimizer: keras.optimizers.Optimizer,
    label_smoothing: float,
    callbacks: keras.callbacks.CallbackList,
) -> None:
    if keras.config.backend() != "jax":
        raise ValueError(
            "JaxData is trained on by the JAX backend: set KERAS_BACKEND=jax before Keras is "
            f"imported, or pass what kcnn.data.load returns. Received: {keras.config.backend()!r}"
        )
    check_smoothing(label_smoothing)
    from kcnn.training import on_device

    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    on_device.fit(model, data, label_smoothing=label_smoothing, callbacks=callbacks)


def _averaging(
    model: keras.Model, callbacks: Callbacks, optimizer: keras.optimizers.Optimizer
) -> list[keras.callbacks.Callback]:
    """Return what puts averaged weights into the model for whoever judges or saves it."""
    ready = any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks)
    if not optimizer.use_ema or ready:
        return []
    found = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    if moving_statistics(model):
        found.append(AveragedStatistics(optimizer.ema_momentum))
    return found


def _check_callbacks(callbacks: Callbacks, optimizer: keras.optimizers.Optimizer) -> None:
    """Keras finds the first clash only when the plateau comes, maybe hours later, the second never.

    On an early stop it exchanges plain and averaged weights once too often; only the restored
    weights of the best epoch are the averaged ones.
    """
    plateau = any(isinstance(each, keras.callbacks.ReduceLROnPlateau) for each in callbacks)
    if plateau and is_scheduled(optimizer):
        raise ValueError(
            "ReduceLROnPlateau cannot change a learning rate that a schedule sets: leave one "
            "of the two out, e.g. kcnn.callbacks.standard(plateau=False)."
        )
    early = (each for each in callbacks if isinstance(each, keras.callbacks.EarlyStopping))
    if optimizer.use_ema and not all(each.restore_best_weights for each in early):
        raise ValueError(
            "EarlyStopping with averaged weights (ema) needs restore_best_weights=True: Keras "
            "would end with the plain weights."
        )


def _result(model: keras.Model, callbacks: Callbacks, seconds: float) -> TrainResult:
    history, numbers = model.history.history, model.history.epoch
    epochs = len(history.get("loss", ()))
    if not epochs:
        raise ValueError(
            "No epoch was left to train: a callback such as BackupAndRestore found this training "
            "done. Ask for more epochs, or remove what it kept."
        )
    best, reason = epochs, "finished"
    for each in callbacks:
        if isinstance(each, keras.callbacks.EarlyStopping):
            if each.restore_best_weights and each.best_weights is not None:
                best = each.best_epoch + 1 - numbers[0]  # which is not 0 after a stop
            if each.stopped_epoch:
                reason = f"{each.monitor} was no better for {each.patience} epochs"
    logger.info("trained %d epochs in %.0f s: %s; best epoch %d", epochs, seconds, reason, best)
    return TrainResult(model, history, best, seconds, reason)
