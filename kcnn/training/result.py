"""What a training gives: the model, its history, and why it ended."""

import logging
from dataclasses import dataclass

import keras

from kcnn.training.callback_checks import Callbacks

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class TrainResult:
    """A trained model and the course of its training.

    Attributes:
        model: the model that was passed, trained.
        history: one value an epoch of the loss and every metric, `val_` for validation.
        best_epoch: counted from 1 in `history`: the epoch whose weights the model has.
        seconds: wall-clock time.
        stop_reason: why the training ended.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    stop_reason: str

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])

    def followed_by(self, other: "TrainResult") -> "TrainResult":
        """Return this training and the `other` one of the same model as a single one."""
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


def result_of(
    model: keras.Model, past: keras.callbacks.History, callbacks: Callbacks, seconds: float
) -> TrainResult:
    """Return the result of a training that has ended.

    Raises:
        ValueError: no epoch was trained.
    """
    history, numbers = past.history, past.epoch
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
