"""The callbacks that a run of any length wants."""

import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import keras

from kcnn.callbacks.learning_rate_log import LearningRateLog
from kcnn.callbacks.monitor_guard import MonitorGuard


def standard(
    run_dir: str | os.PathLike | None = None,
    monitor: str = "val_loss",
    *,
    patience: int | None = 10,
    plateau: bool = True,
    tensorboard: bool = False,
) -> list[keras.callbacks.Callback]:
    """Return early stopping, rate reduction, checkpoints and logs, ready for `model.fit`.

    The weights of the best epoch are restored when training ends. Without a `run_dir` nothing
    is written.

    Args:
        run_dir: folder that gets `history.csv` and `checkpoints/{epoch:02d}-{val_loss:.2f}.keras`
            (best epochs only).
        monitor: metric that decides which epoch is best; its name tells the direction, as in
            Keras (`val_accuracy` rises, `val_loss` falls).
        patience: epochs without a better one before training stops; None never stops early.
        plateau: divide the learning rate by 5 after half of `patience` epochs without a better
            one. Leave it off where a schedule sets the rate.
        tensorboard: also write `tensorboard/` (the extra `kcnn[tensorboard]`).

    Raises:
        ValueError: `plateau` without `patience`, `tensorboard` without a `run_dir`, or a
            `patience` below 1.
        RuntimeError: TensorBoard is asked for and not installed.

    >>> [type(callback).__name__ for callback in standard()]
    ['LearningRateLog', 'MonitorGuard', 'EarlyStopping', 'ReduceLROnPlateau']
    """
    if patience is not None and patience < 1:
        raise ValueError(f"patience must be at least 1, or None. Received: patience={patience}")
    if plateau and patience is None:
        raise ValueError("plateau=True needs a patience. Received: patience=None")
    if tensorboard and run_dir is None:
        raise ValueError("tensorboard=True needs a run_dir. Received: run_dir=None")
    if tensorboard and find_spec("tensorboard") is None:
        raise RuntimeError("tensorboard=True needs TensorBoard: pip install 'kcnn[tensorboard]'")
    callbacks: list[keras.callbacks.Callback] = [LearningRateLog(), MonitorGuard(monitor)]
    callbacks.append(
        keras.callbacks.EarlyStopping(
            monitor=monitor,
            patience=patience or sys.maxsize,
            restore_best_weights=True,
        )
    )
    if plateau:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=monitor, factor=0.2, patience=math.ceil(patience / 2)
            )
        )
    if run_dir is not None:
        callbacks += _writers(Path(run_dir), monitor, tensorboard)
    return callbacks


def _writers(run_dir: Path, monitor: str, tensorboard: bool) -> list[keras.callbacks.Callback]:
    checkpoints = run_dir / "checkpoints"  # Keras makes it with the first one
    run_dir.mkdir(parents=True, exist_ok=True)
    writers: list[keras.callbacks.Callback] = [
        keras.callbacks.ModelCheckpoint(
            str(checkpoints / f"{{epoch:02d}}-{{{monitor}:.2f}}.keras"),
            monitor=monitor,
            save_best_only=True,
        ),
        keras.callbacks.CSVLogger(str(run_dir / "history.csv")),
    ]
    if tensorboard:
        writers.append(keras.callbacks.TensorBoard(str(run_dir / "tensorboard")))
    return writers
