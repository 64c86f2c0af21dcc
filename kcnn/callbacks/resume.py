"""A plain `model.fit` that was stopped goes on as if it had not been."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import keras

from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.callbacks.divergence import TrainingDiverged, check_weights
from kcnn.callbacks.plain_fit import PlainFit
from kcnn.callbacks.settings import loss_settings, optimizer_settings
from kcnn.callbacks.state import TrainingState
from kcnn.interruption import FitSignals, Interrupted

logger = logging.getLogger("kcnn")

Logs = dict[str, Any] | None


class Batches(Protocol):
    """The data of a training whose batches follow from a seed: `kcnn.data.Data`."""

    def begin_train_at(self, epoch: int) -> None:
        """Let the next iteration over `train` yield this epoch."""
        ...


class Resume(keras.callbacks.Callback):
    """Keeps the state of a plain `model.fit` after every epoch, and goes on from it.

    Use it in a notebook or a script with a `fit` of your own; `kcnn.train` has `resume`. Run the
    same code again after a stop: the epochs that are done are not repeated. On a CPU with
    TensorFlow's deterministic operations the training ends with the same bits as without the stop:
    weights, optimizer, averaged weights, dropout, history, and the memory of the callbacks that it
    is given. Unlike Keras's `BackupAndRestore`, it keeps all of these, in files that are whole at
    every moment, and its `History` has all epochs.

    Give it all other callbacks, which it calls in their order. Those beside it in `fit` lose what
    they remember; one of your own keeps it if it is a `kcnn.callbacks.Stateful`. An epoch that was
    not finished is trained again from its beginning.

    Ctrl-C, SIGTERM and SIGHUP end `fit` after a whole step. Its callbacks have ended the training
    then, so that the model has its best weights where one restores them, and `model.history` has
    the epochs so far.

    The batches are the same only if they follow from the epoch: pass kcnn's `data`. A `tf.data`
    pipeline of your own, or arrays that `fit` shuffles, get another order in the epochs after the
    stop, which nothing can restore.

    Args:
        folder: where the state is kept. Remove it to begin again.
        callbacks: all other callbacks, such as `kcnn.callbacks.standard(...)`.
        data: what `kcnn.data.load` returned, whose `train` is passed to `fit`.

    Raises:
        ValueError: when `fit` begins, if the state in `folder` is of another training: other data,
            another model, loss, optimizer, learning rate or list of callbacks.
        TrainingDiverged: a weight is NaN or infinite after an epoch. The last good state stays.
        Interrupted: a KeyboardInterrupt: a signal came.

    >>> import kcnn, tempfile
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> def fit(epochs, folder=tempfile.mkdtemp()):
    ...     model = kcnn.models.simple_cnn()
    ...     model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ...     resume = Resume(folder, callbacks=[], data=data)
    ...     return model.fit(data.train, epochs=epochs, callbacks=[resume], verbose=0)
    >>> first, both = fit(1), fit(2)
    >>> both.epoch, both.history["loss"][:1] == first.history["loss"]
    ([0, 1], True)
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        *,
        data: Batches | None = None,
    ) -> None:
        super().__init__()
        self.callbacks, self._data = list(callbacks), data
        self._checkpoints = Checkpoints(Path(folder))
        self._fit: PlainFit | None = None
        self._start: TrainingState | None = None
        self._epochs: list[int] = []
        self._history: dict[str, list[float]] = {}
        self._signals = FitSignals(None)

    def set_model(self, model: keras.Model) -> None:
        """Hand the model to all callbacks."""
        super().set_model(model)
        for each in self.callbacks:
            each.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Hand the parameters of `fit` to all callbacks."""
        super().set_params(params)
        for each in self.callbacks:
            each.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Let all callbacks begin, and go to where the kept state is."""
        model: Any = self.model
        self._epochs, self._history = [], {}
        model.optimizer.build(model.trainable_variables)
        self._start, model._initial_epoch = self._checkpoints.load(), None
        self._fit = PlainFit(model, [*self.callbacks, self], settings=self._settings(model))
        if self._start:
            self._start.check(self._fit)
        self._call("on_train_begin", logs)
        if start := self._start:
            start.restore(self._fit)
            ended = start.stopped and (self.params or {}).get("epochs")
            model._initial_epoch = ended or start.epoch
            logger.info("going on after epoch %d, from %s", start.epoch, self._checkpoints.last)
        self._signals.end()  # those of a `fit` that failed
        self._signals = FitSignals(model)
        self._signals.watch()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Let the epoch begin; the first one from the kept state."""
        self._restore_history()
        if self._data is not None:
            self._data.begin_train_at(epoch)
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Let the epoch end, and keep the state."""
        logs = {} if logs is None else logs
        self._call("on_epoch_end", epoch, logs)
        self._epochs.append(epoch)
        for name, value in logs.items():
            self._history.setdefault(name, []).append(float(value))
        if self._fit is not None:
            self._fit.epoch = epoch + 1
            self._save(self._fit)
        self._end_if_asked()

    def on_train_end(self, logs: Logs = None) -> None:
        """Let all callbacks end."""
        self._restore_history()  # where no epoch was left
        self._call("on_train_end", logs)
        self._signals.end()
        if self._signals.signal is not None:
            raise Interrupted(self._signals.signal)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_train_batch_end", batch, logs)
        self._end_if_asked()

    def on_test_begin(self, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Call the callbacks."""
        self._call("on_test_batch_end", batch, logs)
        self._end_if_asked()

    def state(self) -> dict[str, Any]:
        """Return the history, which Keras's own callback has not noted yet."""
        return {"epochs": self._epochs, "history": self._history}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with this history."""
        self._epochs, self._history = state["epochs"], state["history"]

    def _settings(self, model: Any) -> dict[str, Any]:
        """Return what must be equal when the training goes on, as plain JSON."""
        identity = getattr(self._data, "identity", dict)
        settings = {
            "backend": keras.config.backend(),
            **optimizer_settings(model.optimizer),
            "loss": loss_settings(model.loss),
            "steps_per_epoch": (self.params or {}).get("steps"),
            **identity(),
        }
        if self._start and int(model.optimizer.iterations):
            # The model has been trained in this process: callbacks may have changed its rate.
            settings |= {
                name: value
                for name, value in self._start.settings.items()
                if name in ("learning_rate", "inner_optimizer")
            }
        return settings

    def _save(self, training: "PlainFit") -> None:
        """Keep the state; one that is not finite is refused, since nothing could go on from it."""
        state = TrainingState.of(training)
        try:
            check_weights(training.model, state.model, state.optimizer, training.epoch)
        except TrainingDiverged as error:
            if state.stopped:  # by a callback such as `TerminateOnNaN`
                return
            folder = self._checkpoints.folder
            error.add(
                f"{str(folder)!r} keeps the last good state: to train at a lower rate, remove the "
                "folder."
                if self._checkpoints.last.is_file()
                else "No state was kept."
            )
            error.history = self._history
            raise
        self._checkpoints.save(state)

    def _restore_history(self) -> None:
        # Not before: Keras's History begins after this callback, and forgets its epochs then.
        if self._start is None:
            return
        self._start, model = None, self.model
        past: Any = model and model.history
        past.epoch = list(self._epochs)
        past.history = {name: list(values) for name, values in self._history.items()}

    def _end_if_asked(self) -> None:
        """End the training, and with an error `fit`, if a signal came."""
        if self._signals.signal is not None:
            self.on_train_end()

    def _call(self, hook: str, *arguments: Any) -> None:
        for each in self.callbacks:
            getattr(each, hook)(*arguments)
