"""The learning rate among the logs of an epoch."""

from typing import Any

import keras


class LearningRateLog(keras.callbacks.Callback):
    """Adds `learning_rate` to the logs of every epoch, whether a schedule or a callback sets it.

    Keras does so only where a callback changes the rate. Put it before the callbacks that write the
    logs (`CSVLogger`, `EpochLog`).
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the current rate into `logs`."""
        if logs is not None:
            model: Any = self.model
            logs["learning_rate"] = float(model.optimizer.learning_rate)
