"""What a training gives: the model, its history, and why it ended."""

import logging
from dataclasses import dataclass

import keras

from kcnn.callbacks.divergence import TrainingDiverged
from kcnn.callbacks.state import Rollback
from kcnn.notebook import html_facts
from kcnn.training.callback_checks import Callbacks
from kcnn.training.divergence import ended_in_divergence
from kcnn.training.running import Training

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class TrainResult:
    """A trained model and the course of its training.

    Attributes:
        model: the model that was passed, trained.
        history: one value an epoch of the loss and every metric, `val_` for validation.
        best_epoch: counted from 1 in `history`: the epoch whose weights the model has.
        seconds: wall-clock time.
        stop_reason: why the training ended: "epochs" (all of them are done), "early_stopping",
            "diverged" (the loss exploded, and the model is no better than guessing), or the name of
            the class of another callback that stopped it.
        rollbacks: how often it diverged and went back to an earlier state, in order.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    stop_reason: str
    rollbacks: tuple[Rollback, ...] = ()

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])

    def check(self) -> None:
        """Raise `TrainingDiverged` if the loss exploded and the model does no better than guess."""
        if self.stop_reason != "diverged":
            return
        losses = self.history["loss"]
        epoch = losses.index(max(losses)) + 1
        error = TrainingDiverged("loss", max(losses), epoch)
        error.history = {name: values[: epoch - 1] for name, values in self.history.items()}
        raise error

    def _repr_html_(self) -> str:
        best = {name: values[self.best_epoch - 1] for name, values in self.history.items()}
        facts = {"epochs": self.epochs, "best epoch": self.best_epoch, **best}
        facts |= {"seconds": round(self.seconds, 1), "ended by": self.stop_reason}
        return html_facts(f"training of {self.model.name}", facts)

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
            rollbacks=(*self.rollbacks, *other.rollbacks),
        )


def result_of(
    model: keras.Model, training: Training, callbacks: Callbacks, *, chance: float
) -> TrainResult:
    """Return the result of a training that has ended.

    Args:
        model: the model that was trained.
        training: its training.
        callbacks: those of the caller.
        chance: the validation loss of equal probabilities for all classes.

    Raises:
        ValueError: no epoch was trained.
    """
    past, seconds = training.model.history, training.seconds
    history, numbers = past.history, past.epoch
    epochs = len(history.get("loss", ()))
    if not epochs:
        raise ValueError(
            "No epoch was left to train: a callback such as BackupAndRestore found this training "
            "done. Ask for more epochs, or remove what it kept."
        )
    best, reason = epochs, training.stopped_by or "epochs"
    for each in callbacks:
        if isinstance(each, keras.callbacks.EarlyStopping):
            if each.restore_best_weights and each.best_weights is not None:
                best = each.best_epoch + 1 - numbers[0]  # which is not 0 after a stop
            if each.stopped_epoch:
                reason = "early_stopping"
    kept = history.get("val_loss", history["loss"])[best - 1] - penalties_of(model)
    guessing = training.guessing
    if ended_in_divergence(history["loss"], guessing=guessing, kept=kept, chance=chance):
        reason = "diverged"
        logger.warning(
            "training diverged: the loss rose to %.3g, and that of the trained model is no better "
            "than guessing. Lower the learning rate.",
            max(history["loss"]),
        )
    end = "" if reason == "epochs" else f", ended by {reason}"
    logger.info("trained %d epochs in %.0f s%s; best epoch %d", epochs, seconds, end, best)
    return TrainResult(model, history, best, seconds, reason, training.rollbacks)


def penalties_of(model: keras.Model) -> float:
    """Return what the regularizers of the weights add to every loss."""
    weights = ((each.regularizer, each) for each in model.trainable_weights)
    return sum(float(penalty(weight)) for penalty, weight in weights if penalty)
