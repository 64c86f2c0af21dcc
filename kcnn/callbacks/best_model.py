"""The best model so far, in one file that is whole at every moment."""

import math
import os
from pathlib import Path
from typing import Any

import keras

from kcnn.callbacks.direction import Mode, direction
from kcnn.run_dir import atomic


class BestModel(keras.callbacks.Callback):
    """Saves the model whenever the monitored metric is better than in all epochs before.

    Use it where one file is enough. Unlike Keras's `ModelCheckpoint`, it replaces the file only by
    a whole new one: a full disk or a kill leaves the best model before.

    Args:
        path: the `.keras` file.
        monitor: the metric.
        mode: whether it must fall ("min") or rise ("max"); "auto" reads it from the name.

    Raises:
        ValueError: the name of the metric does not say whether it rises, and `mode` is "auto".
    """

    def __init__(
        self, path: str | os.PathLike, monitor: str = "val_loss", mode: Mode = "auto"
    ) -> None:
        super().__init__()
        self.path, self.monitor = Path(path), monitor
        self._sign = -1 if direction(monitor, mode) == "min" else 1
        self._best: float | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forget an earlier training."""
        self._best = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save the model if it is better."""
        value = float((logs or {})[self.monitor])
        if not math.isfinite(value):
            return
        if self._best is not None and self._sign * value <= self._sign * self._best:
            return
        model: Any = self.model
        with atomic(self.path) as temporary:
            model.save(temporary)
        self._best = value

    def state(self) -> dict[str, Any]:
        """Return the best value."""
        return {"best": self._best}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with this best value."""
        self._best = state["best"]
