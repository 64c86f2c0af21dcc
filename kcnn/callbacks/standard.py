"""The callbacks of a usual training."""

import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import keras

from kcnn.callbacks.history_file import HistoryFile
from kcnn.callbacks.learning_rate_log import LearningRateLog
from kcnn.callbacks.monitor_guard import MonitorGuard
from kcnn.callbacks.plateau import ReduceLROnPlateau
from kcnn.checks import check_count


def standard(
    run_dir: str | os.PathLike | None = None,
    monitor: str = "val_loss",
    *,
    patience: int | None = 10,
    plateau: bool = True,
    keep: Literal["best", "last"] = "best",
    tensorboard: bool = False,
) -> list[keras.callbacks.Callback]:
    """Return early stopping, rate reduction, checkpoints and logs, ready for `model.fit`.

    Without a `run_dir` nothing is written.

    Args:
        run_dir: folder for `history.csv` and `checkpoints/{epoch:02d}-{val_loss:.2f}.keras`
            (best epochs only; none with `keep="last"`).
        monitor: metric that decides which epoch is best. Keras knows the direction from its name
            (`val_accuracy` rises, `val_loss` falls).
        patience: number of epochs without improvement after which training stops; None never stops
            early.
        keep: "best" restores the weights of the best epoch when training ends; "last" keeps those
            of the last epoch, for schedules that make it the best.
        plateau: divide the learning rate by 5 after `patience / 2` epochs without improvement.
            Leave it off where a schedule sets the rate: such a training is refused when it begins.
        tensorboard: also write `tensorboard/` (the extra `kcnn[tensorboard]`).

    Raises:
        ValueError: `plateau` without `patience`, `keep="last"` with it, `tensorboard` without a
            `run_dir`, or a `patience` below 1.
        RuntimeError: TensorBoard is not installed.

    >>> [type(callback).__name__ for callback in standard()]
    ['LearningRateLog', 'MonitorGuard', 'EarlyStopping', 'ReduceLROnPlateau']
    """
    _check(patience, plateau=plateau, keep=keep)
    if tensorboard and run_dir is None:
        raise ValueError("tensorboard=True needs a run_dir. Received: run_dir=None")
    if tensorboard:
        check_tensorboard()
    callbacks: list[keras.callbacks.Callback] = [LearningRateLog(), MonitorGuard(monitor)]
    if keep == "best":
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor=monitor,
                patience=patience or sys.maxsize,
                restore_best_weights=True,
            )
        )
    if plateau and patience:
        callbacks.append(
            ReduceLROnPlateau(monitor=monitor, factor=0.2, patience=math.ceil(patience / 2))
        )
    if run_dir is not None:
        folder = Path(run_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if keep == "best":
            callbacks.append(_checkpoints(folder / "checkpoints", monitor))
        callbacks.append(HistoryFile(folder / "history.csv"))
        if tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    return callbacks


def check_tensorboard() -> None:
    """Raise a RuntimeError unless TensorBoard is installed."""
    if find_spec("tensorboard") is None:
        raise RuntimeError("tensorboard=True needs TensorBoard: pip install 'kcnn[tensorboard]'")


def _checkpoints(folder: Path, monitor: str) -> keras.callbacks.Callback:
    # Keras makes the folder when it writes the first one.
    return keras.callbacks.ModelCheckpoint(
        str(folder / f"{{epoch:02d}}-{{{monitor}:.2f}}.keras"),
        monitor=monitor,
        save_best_only=True,
    )


def _check(patience: int | None, *, plateau: bool, keep: str) -> None:
    if keep not in ("best", "last"):
        raise ValueError(f'keep must be "best" or "last". Received: keep={keep!r}')
    if keep == "last" and (plateau or patience is not None):
        raise ValueError(
            'keep="last" neither stops early nor waits for a plateau: add patience=None and '
            f"plateau=False. Received: patience={patience}, plateau={plateau}"
        )
    if patience is not None:
        check_count("patience", patience)
    if plateau and patience is None:
        raise ValueError("plateau=True needs a patience. Received: patience=None")
