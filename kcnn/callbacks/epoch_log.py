"""A line in the log after each epoch."""

import logging
import time

import keras

logger = logging.getLogger("kcnn")


class EpochLog(keras.callbacks.Callback):
    """Logs one line an epoch to the logger `kcnn`, at level INFO.

    Use it wherever the output is not a terminal: in files, services and continuous integration
    Keras's progress bar writes control characters.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Look up how many epochs there will be."""
        self._epochs = (self.params or {}).get("epochs")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log the epoch's seconds and metrics."""
        seconds = time.perf_counter() - self._started
        metrics = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        logger.info("epoch %d/%d  %.1f s  %s", epoch + 1, self._epochs, seconds, metrics)
