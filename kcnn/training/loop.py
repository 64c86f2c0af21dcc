"""The one training loop: epochs, validation, callbacks, and a state that can be kept.

What depends on the backend is a `Steps`: `loop_tensorflow` and `loop_jax` have one each. The
callbacks are called as Keras's own `fit` calls them.
"""

import signal
from typing import NoReturn

import keras

from kcnn.callbacks.divergence import TrainingDiverged
from kcnn.callbacks.state import TrainingState
from kcnn.interruption import Interrupted, catch_signals
from kcnn.training.running import Logs, Training


def fit(training: Training, start: TrainingState | None = None) -> None:
    """Train to the last epoch, or until a callback sets `model.stop_training`.

    Without `start` the training begins where `model._initial_epoch` says after `on_train_begin`:
    Keras's `BackupAndRestore` sets it when it takes up a training.

    Raises:
        Interrupted: a signal came. The step was finished, the state is kept, and the callbacks have
            ended the training: the best weights are in the model where one restores them.
        TrainingDiverged: a loss was not finite, and the training cannot go back, or went back too
            often. As after a signal, the best weights are in the model where a callback restores
            them, else those of the last good state where the training keeps one to go back to.
    """
    try:
        with catch_signals() as training.request:
            _fit(training, start)
    except TrainingDiverged:
        if training.rolling_back and training.rolling_back.good:
            training.rolling_back.good.restore(training)
        _end(training)
        raise
    finally:
        if training.rolling_back:
            training.rolling_back.end(training)


def _fit(training: Training, start: TrainingState | None) -> None:
    model, callbacks = training.model, training.callbacks
    model.optimizer.build(model.trainable_variables)
    model.stop_training, model._initial_epoch = False, None
    if start:  # refused before a callback begins, which may open a file again
        start.check(training)
    callbacks.on_train_begin()
    if start:
        start.restore(training)
    else:
        training.epoch = training.first_epoch = model._initial_epoch or 0
    if training.rolling_back:
        training.rolling_back.begin(training, start)
    while True:
        training.steps.begin(training.epoch, training.step)
        try:
            logs = _train(training, start)
            break
        except TrainingDiverged as error:
            if training.rolling_back is None:
                raise
            start = training.rolling_back.go_back(training, error)
            if training.checkpoints:
                training.checkpoints.save(start)
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _train(training: Training, start: TrainingState | None) -> Logs:
    """Train the epochs that are left after the state `start`, and return the last one's logs."""
    logs = {}
    while training.epoch < training.epochs and not (start and start.stopped):
        logs = _epoch(training, start if training.step else None)
        if not training.interrupted:
            training.notice_signal(training.step)  # which came while the epoch was validated
        if training.interrupted:
            _leave(training)
        if training.model.stop_training:
            break
    return logs


def _epoch(training: Training, within: TrainingState | None) -> Logs:
    """Train one epoch, or what is left of it after the state `within`, and validate."""
    model, steps, callbacks = training.model, training.steps, training.callbacks
    steps.reset()
    callbacks.on_epoch_begin(training.epoch)
    if within:
        # on_epoch_begin may have set counters back that belong to the steps already done.
        within.restore(training)
        steps.restore_sums(within.sums)
    logs = steps.run(training)
    if training.interrupted and training.step < steps.per_epoch:
        return logs
    if training.validates:
        logs |= {f"val_{name}": value for name, value in steps.validate(callbacks).items()}
    if not (model.stop_training and training.step < steps.per_epoch):  # as TerminateOnNaN does
        training.check_epoch(logs)
    callbacks.on_epoch_end(training.epoch, logs)
    training.epoch, training.step = training.epoch + 1, 0
    training.save()
    return logs


def _leave(training: Training) -> NoReturn:
    """End an interrupted training."""
    _end(training)
    raise Interrupted(training.signal or signal.SIGINT)


def _end(training: Training) -> None:
    """End a training before its time; a backup of Keras's stays, which the end would remove."""
    callbacks = training.callbacks
    backups = keras.callbacks.BackupAndRestore
    callbacks.callbacks = [each for each in callbacks.callbacks if not isinstance(each, backups)]
    callbacks.on_train_end({})
