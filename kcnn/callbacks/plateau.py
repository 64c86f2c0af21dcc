"""Reduces the learning rate on a plateau, unless a schedule sets it."""

from typing import Any

import keras

_ADVICE = {"ReduceLROnPlateau": ", e.g. kcnn.callbacks.standard(plateau=False)"}


class ReduceLROnPlateau(keras.callbacks.ReduceLROnPlateau):
    """Keras's callback, which refuses an optimizer with a schedule when the training begins.

    Keras itself does so only when the plateau is reached, which can take hours. The arguments are
    Keras's own.

    >>> ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5).patience
    5
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check the optimizer.

        Raises:
            ValueError: a schedule sets its learning rate.
        """
        model: Any = self.model
        check_no_schedule(model.optimizer)
        super().on_train_begin(logs)


def check_no_schedule(optimizer: Any, callback: str = "ReduceLROnPlateau") -> None:
    """Raise ValueError if a schedule sets the optimizer's rate, so that no callback can."""
    if is_scheduled(optimizer):
        raise ValueError(
            f"{callback} cannot change a learning rate that a schedule sets: leave one of the two "
            f"out{_ADVICE.get(callback, '')}."
        )


def is_scheduled(optimizer: Any) -> bool:
    """Return whether a schedule sets the optimizer's rate, so that no callback can."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of scaled losses
    rate = getattr(inner, "_learning_rate", None)
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
