"""The history of a training as a file that is whole at every moment."""

import csv
import os
from pathlib import Path
from typing import Any

import keras

from kcnn.run_dir import atomic


class HistoryFile(keras.callbacks.Callback):
    """Writes the logs of all epochs to a CSV file after each epoch.

    The file is what Keras's `CSVLogger` writes: `epoch`, counted from 0, then the logs in
    alphabetical order. It is replaced as a whole, so a killed training leaves no half line, and a
    training that goes on from its state leaves no gap and no double line.

    Args:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forget an earlier training."""
        self._rows = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write all epochs so far."""
        self._rows.append({"epoch": epoch} | {name: float(v) for name, v in (logs or {}).items()})
        names = sorted({name for row in self._rows for name in row} - {"epoch"})
        with atomic(self.path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", *names], restval="NA")
            writer.writeheader()
            writer.writerows(self._rows)

    def state(self) -> dict[str, Any]:
        """Return the epochs so far."""
        return {"rows": self._rows}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after these epochs."""
        self._rows = list(state["rows"])
