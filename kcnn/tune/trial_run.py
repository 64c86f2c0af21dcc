"""One trial: an ordinary run of a recipe, judged on the validation images. No engine is needed."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kcnn.errors import naming
from kcnn.evaluation import evaluate
from kcnn.pipeline import run
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.setup import build, load
from kcnn.pipeline.unfinished import first_difference
from kcnn.recipe import Recipe, from_json
from kcnn.report.receipts import Receipt, Report
from kcnn.report.receipts import load as load_report
from kcnn.run_dir import RunDir
from kcnn.tune.goal import Goal

_ROUGHLY = 1.02  # training for int8 changes the size of a file by some bytes


logger = logging.getLogger("kcnn")


class TooLarge(Exception):
    """The int8 file of a trial exceeds a limit, whatever its weights will be.

    Attributes:
        bytes: Its size.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"the int8 file has {size:,} bytes")
        self.bytes = size


@dataclass(frozen=True)
class TrialResult:
    """What a trial is worth.

    Attributes:
        accuracy: On the validation images, 0 to 1.
        file: The name of the model's file in the run's folder.
        bytes: Its size, of an int8 file.
        ms: Milliseconds for an image in LiteRT, of an int8 file.
    """

    accuracy: float
    file: str
    bytes: int | None = None
    ms: float | None = None

    def values(self, goal: Goal) -> tuple[float, ...]:
        """Return the values of the trial, one for each of the goal's directions."""
        found = (self.accuracy, float(self.bytes or 0), self.ms or 0.0)
        return found[: len(goal.directions)]


def run_trial(
    recipe: Recipe,
    goal: Goal,
    name: str,
    folder: Path,
    *,
    data_dir: str | None = None,
    report: Callable[[int, float], None] | None = None,
) -> TrialResult:
    """Run the recipe of a trial in its folder, go on with it, or read it where it is finished.

    Args:
        recipe: What to run.
        goal: What it is judged by.
        name: What to call the run.
        folder: The run's folder.
        data_dir: Where prepared tfds data sets lie.
        report: Called after each epoch with its number, from 0, and the validation accuracy. It
            may raise an error to end the trial.

    Raises:
        TooLarge: The int8 file would exceed the goal's limit; nothing has been trained.
        ValueError: The recipe cannot be run.
        RuntimeError: The training diverged, or no file came out of it.
    """
    keras.utils.clear_session()  # of the trial before
    run_dir = RunDir(folder)
    finished = _finished(recipe, run_dir)
    if finished is None:
        if goal.max_bytes is not None and not run_dir.journal.is_file():
            _check_size(recipe, goal.max_bytes, data_dir)
        callbacks = [] if report is None else [_EachEpoch(report)]
        finished = run(recipe, name, folder, data_dir=data_dir, callbacks=callbacks)
    if failed := finished.training.get("failed"):
        raise RuntimeError(str(failed))
    data: Any = load(recipe, data_dir)
    if not goal.int8:
        return TrialResult(_accuracy(run_dir.model, data), run_dir.model.name)
    return _best_file(finished.receipts, goal, run_dir, data)


def _finished(recipe: Recipe, run_dir: RunDir) -> Report | None:
    """Return the report of a run that was finished before its worker could say so."""
    journal = Journal.read(run_dir)
    if journal is None or not journal.finished:
        return None
    with naming(run_dir.recipe):
        begun = from_json(run_dir.recipe.read_text(encoding="utf-8"))
    if difference := first_difference(begun, recipe):
        key, there, here = difference
        raise ValueError(
            f"{str(run_dir.path)!r} holds the trial of another study, with {key}={there!r:.80}: "
            f"name another folder with --out. Received: {key}={here!r:.80}"
        )
    return load_report(run_dir.report)


def _check_size(recipe: Recipe, limit: int, data_dir: str | None) -> None:
    """Refuse a network whose int8 file is too large, before it is trained.

    The size of a file does not depend on the weights, unless filters are removed.
    """
    if recipe.slim or recipe.own_stages:
        return
    from kcnn.export import export_tflite

    data: Any = load(recipe, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "untrained.tflite"
        export_tflite(
            build(recipe, data),
            file,
            calibration=data.calibration,
            samples=10,
            labels=data.class_names,
            input_range="0..255",  # what kcnn trains on
        )
        size = file.stat().st_size
    if size > limit * _ROUGHLY:
        raise TooLarge(size)


def _best_file(receipts: Sequence[Receipt], goal: Goal, run_dir: RunDir, data: Any) -> TrialResult:
    """Return the most accurate int8 file within the limits, or the smallest if none is."""
    files = [each for each in receipts if each.file.endswith(".tflite")]
    if not files:
        raise RuntimeError("The run has no int8 file.")
    within = [each for each in files if goal.is_met(each.bytes, each.ms_per_image)]
    judged = within or [min(files, key=lambda each: each.bytes)]
    results = [
        TrialResult(
            _accuracy(run_dir.path / each.file, data), each.file, each.bytes, each.ms_per_image
        )
        for each in judged
    ]
    return max(results, key=lambda each: each.accuracy)


def _accuracy(file: Path, data: Any) -> float:
    logger.info("scoring %s on the validation images", file.name)
    return evaluate(file, data.validation, expected_count=data.num_validation).accuracy


class _EachEpoch(keras.callbacks.Callback):
    """Reports the validation accuracy of each epoch."""

    def __init__(self, report: Callable[[int, float], None]) -> None:
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report it."""
        accuracy = (logs or {}).get("val_accuracy")
        if accuracy is not None:
            self._report(epoch, float(accuracy))
