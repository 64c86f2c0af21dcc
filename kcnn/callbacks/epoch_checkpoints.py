"""Checkpoints of epochs, whose file names have the monitored value, whatever its metric's name."""

import os
from typing import Any

import keras

from kcnn.callbacks.direction import Mode, direction

_VALUE = "monitored value"  # no metric has it: Keras's own names have no space


class ModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Keras's callback, one file an epoch, named after the epoch and the monitored value.

    Keras itself formats the name of the file with the metric's name, and fails in the first epoch
    where that has a dot, a slash or a bracket.

    Args:
        folder: where the files go, such as `03-0.42.keras`.
        monitor: the metric.
        mode: whether it must fall ("min") or rise ("max"); "auto" reads it from the name.
        save_best_only: keep an epoch only if it is better than all before.
        save_weights_only: files of weights, `03-0.42.weights.h5`, in place of whole models.
        verbose: 1 prints a line for each file.

    Raises:
        ValueError: the name of the metric does not say whether it rises, and `mode` is "auto".

    >>> os.path.dirname(ModelCheckpoint("checkpoints", "val_top.5", mode="max").filepath)
    'checkpoints'
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        monitor: str = "val_loss",
        *,
        mode: Mode = "auto",
        save_best_only: bool = True,
        save_weights_only: bool = False,
        verbose: int = 0,
    ) -> None:
        suffix = ".weights.h5" if save_weights_only else ".keras"
        parent = os.fspath(folder).replace("{", "{{").replace("}", "}}")  # no fields of a format
        super().__init__(
            os.path.join(parent, f"{{epoch:02d}}-{{{_VALUE}:.2f}}{suffix}"),
            monitor=monitor,
            mode=direction(monitor, mode),
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            verbose=verbose,
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the epoch if it is to be kept."""
        logs = dict(logs or {})
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs | {_VALUE: logs[self.monitor]})
