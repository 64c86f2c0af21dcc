"""The learning rate as one of an epoch's logs."""

import keras


class LearningRateLog(keras.callbacks.Callback):
    """Adds `learning_rate` to the logs of every epoch, whatever sets it.

    Keras does so only where a callback changes the rate. Put it before the callbacks that
    write the logs (`CSVLogger`, `EpochLog`).
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the current rate into `logs`."""
        if logs is not None:
            logs["learning_rate"] = float(
                keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            )
