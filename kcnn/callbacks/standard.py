"""The callbacks of a usual training."""

import logging
import math
import os
import sys
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Literal, cast

import keras

from kcnn.callbacks.direction import Mode, direction
from kcnn.callbacks.epoch_checkpoints import ModelCheckpoint
from kcnn.callbacks.history_file import HistoryFile
from kcnn.callbacks.learning_rate_log import LearningRateLog
from kcnn.callbacks.loggers import check_installed
from kcnn.callbacks.monitor_guard import MonitorGuard
from kcnn.callbacks.plateau import ReduceLROnPlateau
from kcnn.checks import check_count

logger = logging.getLogger("kcnn")


def standard(  # noqa: PLR0913 - what a course teaches of three callbacks, all of it optional
    run_dir: str | os.PathLike | None = None,
    monitor: str = "val_loss",
    *,
    mode: Mode = "auto",
    verbose: Literal[0, 1] = 0,
    keep: Literal["best", "last"] = "best",
    patience: int | None = 10,
    min_delta: float = 0.0,
    start_from_epoch: int = 0,
    restore_best_weights: bool = True,
    plateau: bool = True,
    factor: float = 0.2,
    plateau_patience: int | None = None,
    plateau_min_delta: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
    save_best_only: bool = True,
    save_weights_only: bool = False,
    tensorboard: bool = False,
) -> list[keras.callbacks.Callback]:
    """Return early stopping, rate reduction, checkpoints and logs, ready for `model.fit`.

    Without a `run_dir` nothing is written. The arguments have the names of Keras's `EarlyStopping`,
    `ReduceLROnPlateau` and `ModelCheckpoint`; those of the second begin with `plateau_` where the
    first has the same ones.

    Args:
        run_dir: folder for `history.csv` and `checkpoints/`, such as `03-0.42.keras`: the epoch
            and the monitored value.
        monitor: metric that decides which epoch is best, also one of your own.
        mode: whether the best value is the smallest ("min") or the largest ("max"); "auto" reads it
            from the metric's name (`val_accuracy` rises, `val_loss` falls).
        verbose: 1 prints a line whenever one of the three callbacks acts.
        keep: "best" for all of the following; "last" neither stops early nor writes checkpoints,
            and keeps the weights of the last epoch, for schedules that make it the best.

        patience: *Early stopping*: epochs without improvement after which training stops; None
            never stops early.
        min_delta: the least change that is an improvement.
        start_from_epoch: the epoch, counted from 0, from which on this is judged.
        restore_best_weights: give the model the weights of the best epoch when training ends.

        plateau: *Rate reduction*: multiply the learning rate by `factor` on a plateau. Leave it off
            where a schedule sets the rate: such a training is refused when it begins.
        factor: above 0, below 1.
        plateau_patience: epochs without improvement until then; None for half of `patience`.
        plateau_min_delta: the least change that is an improvement here.
        cooldown: epochs after a reduction that do not count.
        min_lr: the learning rate at which the reductions end.

        save_best_only: *Checkpoints*: keep only epochs that are better than all before.
        save_weights_only: write weights, `03-0.42.weights.h5`, in place of whole models.

        tensorboard: also write `tensorboard/` (needs `pip install 'kcnn[tensorboard]'`).

    Raises:
        ValueError: an argument is out of its range, has no effect beside the others, or the name of
            the metric does not say whether it rises.
        RuntimeError: TensorBoard is not installed.

    >>> [type(callback).__name__ for callback in standard()]
    ['LearningRateLog', 'MonitorGuard', 'EarlyStopping', 'ReduceLROnPlateau']
    >>> halve = standard(monitor="val_f1", patience=20, factor=0.5, plateau_patience=5, min_lr=1e-5)
    >>> halve[-1].factor, halve[-1].patience, halve[-1].mode
    (0.5, 5, 'max')
    """
    given = dict(locals())
    _check_effect(given)
    _check_ranges(given)
    mode = direction(monitor, mode)
    if tensorboard:
        check_installed("tensorboard")
    callbacks: list[keras.callbacks.Callback] = [LearningRateLog(), MonitorGuard(monitor)]
    if keep == "best":
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor=monitor,
                mode=mode,
                patience=patience or sys.maxsize,
                min_delta=cast("int", min_delta),  # any number, but annotated by its default
                start_from_epoch=start_from_epoch,
                restore_best_weights=restore_best_weights,
                verbose=verbose,
            )
        )
    if plateau and (wait := plateau_patience or half_of(patience)):
        if patience and wait >= patience:
            logger.warning(
                "training may stop before the learning rate is reduced: plateau_patience=%d is not "
                "below patience=%d",
                wait,
                patience,
            )
        callbacks.append(
            ReduceLROnPlateau(
                monitor=monitor,
                mode=mode,
                factor=factor,
                patience=wait,
                min_delta=plateau_min_delta,
                cooldown=cooldown,
                min_lr=min_lr,
                verbose=verbose,
            )
        )
    if run_dir is not None:
        callbacks += _files(Path(run_dir), given | {"mode": mode})
    return callbacks


def half_of(patience: int | None) -> int | None:
    """Return the epochs without improvement until the rate is reduced, where nothing is said."""
    return patience and math.ceil(patience / 2)


def _files(folder: Path, given: Mapping[str, Any]) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write into the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    callbacks: list[keras.callbacks.Callback] = []
    if given["keep"] == "best":
        names = ("mode", "save_best_only", "save_weights_only", "verbose")
        options = {name: given[name] for name in names}
        callbacks.append(ModelCheckpoint(folder / "checkpoints", given["monitor"], **options))
    callbacks.append(HistoryFile(folder / "history.csv"))
    if given["tensorboard"]:
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard")))
    return callbacks


# What an argument needs to have an effect, and the arguments that need it.
_OF_PLATEAU = ("factor", "plateau_patience", "plateau_min_delta", "cooldown", "min_lr")
_OF_STOPPING = ("min_delta", "start_from_epoch", "restore_best_weights")
_OF_FILES = ("save_best_only", "save_weights_only")


def _check_effect(given: Mapping[str, Any]) -> None:
    """Refuse arguments that would be ignored beside the others."""
    if given["keep"] not in ("best", "last"):
        raise ValueError(f'keep must be "best" or "last". Received: keep={given["keep"]!r}')
    if given["keep"] == "last" and (given["plateau"] or given["patience"] is not None):
        raise ValueError(
            'keep="last" neither stops early nor waits for a plateau: add patience=None and '
            f"plateau=False. Received: patience={given['patience']}, plateau={given['plateau']}"
        )
    if given["plateau"] and given["patience"] is None and given["plateau_patience"] is None:
        raise ValueError(
            "plateau=True needs a patience, or a plateau_patience where nothing stops early. "
            "Received: patience=None"
        )
    defaults = standard.__kwdefaults__ or {}
    for names, absent, reason in (
        (_OF_PLATEAU, not given["plateau"], "means nothing with plateau=False: leave it out."),
        (_OF_STOPPING, given["keep"] == "last", 'means nothing with keep="last": leave it out.'),
        (_OF_FILES, given["keep"] == "last", 'means nothing with keep="last": leave it out.'),
        ((*_OF_FILES, "tensorboard"), given["run_dir"] is None, "needs a run_dir."),
    ):
        for name in names:
            if absent and given[name] != defaults[name]:
                raise ValueError(f"{name}={given[name]!r} {reason}")


def _check_ranges(given: Mapping[str, Any]) -> None:
    for name in ("patience", "plateau_patience"):
        if given[name] is not None:
            check_count(name, given[name])
    for name in ("start_from_epoch", "cooldown"):
        check_count(name, given[name], minimum=0)
    for name in ("min_delta", "plateau_min_delta", "min_lr", "factor"):
        if not isinstance(given[name], Real):
            raise ValueError(f"{name} must be a number. Received: {name}={given[name]!r}")
    for name in ("min_delta", "plateau_min_delta", "min_lr"):
        if not 0 <= given[name] < math.inf:
            raise ValueError(f"{name} must be 0 or above. Received: {name}={given[name]!r}")
    if not 0 < given["factor"] < 1:
        raise ValueError(f"factor must lie between 0 and 1. Received: factor={given['factor']!r}")
