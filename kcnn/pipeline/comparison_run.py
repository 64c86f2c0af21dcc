"""From a comparison to its figure and table."""

import dataclasses
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kcnn.comparison import Comparison
from kcnn.evaluation import PredictFn, evaluate
from kcnn.models.files import in_float32
from kcnn.pipeline.backend import check_tensorflow
from kcnn.pipeline.plan import training_only
from kcnn.pipeline.precision import resolve_shared_precision
from kcnn.pipeline.setup import build, callbacks_for, load_for_tensorflow, training_for
from kcnn.provenance import git_commit
from kcnn.recipe import Train
from kcnn.report import comparison_report as reports
from kcnn.report.comparison_plot import plot_comparison
from kcnn.report.comparison_report import ComparisonReport, Outcome
from kcnn.report.comparison_table import document
from kcnn.run_dir import atomic
from kcnn.training import TrainingDiverged

_MEASURED = ("accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")
_RESULTS, _PICTURE, _TABLE = "results.json", "comparison.png", "table.md"

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data

logger = logging.getLogger("kcnn")


def run_comparison(
    comparison: Comparison,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
) -> ComparisonReport:
    """Train every variant from every seed, score it, and draw and tabulate what came of it.

    Every variant gets all of its epochs, and its last weights count: no epoch is chosen, so there
    is no early stopping. A training that diverges is a result.

    `results.json` grows by every training. A comparison that was stopped goes on where it was,
    with the same answer as if it had not been; one that is complete is only drawn again. More
    seeds may be added to it. All of it is computed in one precision: what "auto" is here.

    Args:
        comparison: what to train.
        name: what to call it in its report.
        folder: where `results.json`, `comparison.png` and `table.md` go; made if absent.
        data_dir: where prepared tfds data sets lie; None for tfds's own default.
        overwrite: begin anew in a folder that holds a comparison.

    Raises:
        ValueError: a variant cannot be trained, or the folder holds something else; nothing has
            been written then.
        RuntimeError: the data cannot be had.
    """
    check_tensorflow(f"Comparisons such as {name!r} are made")
    folder = Path(folder)
    comparison = resolve_shared_precision(training_only(comparison))
    report = _begin(comparison, name, folder, overwrite=overwrite)
    missing, commit = report.missing(), git_commit()
    if missing:
        _check(comparison, data_dir)
        for file in (_PICTURE, _TABLE):
            (folder / file).unlink(missing_ok=True)
    report.save(folder / _RESULTS)
    for number, (variant, seed) in enumerate(missing, start=1):
        logger.info("%s, seed %d: training %d of %d", variant, seed, number, len(missing))
        outcome = _outcome(comparison, variant, seed, data_dir)
        outcome = dataclasses.replace(outcome, git_commit=commit)
        report = dataclasses.replace(report, outcomes=(*report.outcomes, outcome))
        report.save(folder / _RESULTS)
    plot_comparison(report, folder / _PICTURE)
    with atomic(folder / _TABLE) as temporary:
        temporary.write_text(document(report, _PICTURE))
    return report


def shifted_accuracy(model: keras.Model | PredictFn, data: "Data", pixels: int) -> float:
    """Return the accuracy on all test images, each moved by `pixels` to the right and down.

    What is left free is black. 0 pixels give the accuracy on the images as they are.
    """
    import tensorflow as tf

    height, width, _ = data.image_shape

    def moved(images: "tf.Tensor", labels: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        padded = tf.pad(images, [[0, 0], [pixels, 0], [pixels, 0], [0, 0]])
        return padded[:, :height, :width], labels

    test = data.test.map(moved) if pixels else data.test
    return evaluate(model, test, expected_count=data.num_test).accuracy


class _Clock(keras.callbacks.Callback):
    """Takes every epoch's seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(round(time.perf_counter() - self._started, 2))


def _begin(comparison: Comparison, name: str, folder: Path, *, overwrite: bool) -> ComparisonReport:
    """Return the folder's report so far, or an empty one."""
    results, new = folder / _RESULTS, ComparisonReport(name, comparison)
    if not results.is_file():
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise ValueError(f"{str(folder)!r} holds something else: name another --out.")
        return new
    if overwrite:
        return new
    stored = reports.load(results)
    known = training_only(stored.comparison)
    # The wording of the question decides no number, and more seeds leave those there are.
    same = dataclasses.replace(known, question=comparison.question, seeds=comparison.seeds)
    if same != comparison or not set(known.seeds) <= set(comparison.seeds):
        raise ValueError(
            f"{str(folder)!r} holds another comparison, or this one before it was changed: pass "
            "--overwrite to begin anew, or another --out. If it was begun on another machine, set "
            "the train.precision that its results.json has."
        )
    grown = dataclasses.replace(new, outcomes=stored.outcomes)
    return grown if grown.missing() else dataclasses.replace(stored, comparison=comparison)


def _check(comparison: Comparison, data_dir: str | None) -> None:
    """Build everything once: a mistake in the last variant must not come out after an hour."""
    loaded: list[tuple[object, Data]] = []
    for name, recipe in comparison.variants.items():
        data = next((data for section, data in loaded if section == recipe.data), None)
        try:
            if data is None:
                data = load_for_tensorflow(recipe, data_dir)
                loaded.append((recipe.data, data))
            training_for(recipe, build(recipe, data), data)
            _callbacks(recipe.train, data, _Clock())
            side = min(data.image_shape[:2])
            if max(comparison.shifts, default=0) >= side:
                raise ValueError(f"shifts must be below the images' {side} pixels.")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def _callbacks(section: Train, data: "Data", clock: _Clock) -> list[keras.callbacks.Callback]:
    """Return the recipe's callbacks without those that choose an epoch."""
    left_out = keras.callbacks.EarlyStopping
    return [
        clock,
        *(each for each in callbacks_for(section, data, None) if not isinstance(each, left_out)),
    ]


def _outcome(comparison: Comparison, variant: str, seed: int, data_dir: str | None) -> Outcome:
    recipe = dataclasses.replace(comparison.variants[variant], seed=seed)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    # Loaded anew, though it takes seconds: only then do all variants see the same images in the
    # same order, and a comparison that goes on the same as one that was never stopped.
    data = load_for_tensorflow(recipe, data_dir)
    model = build(recipe, data)
    clock, diverged = _Clock(), None
    try:
        callbacks = _callbacks(recipe.train, data, clock)
        history = training_for(recipe, model, data)(callbacks=callbacks).history
    except TrainingDiverged as error:  # a result, too
        logger.info("%s: %s", variant, error)
        history, diverged = dict.fromkeys(_MEASURED, []) | error.history, error.epoch
    outcome = Outcome(
        variant=variant,
        seed=seed,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        train_images=data.num_train,
        test_images=data.num_test,
        history={key: tuple(values) for key, values in history.items()}
        | {"seconds": tuple(clock.seconds)},
        diverged=diverged,
    )
    if diverged:
        return outcome
    model = in_float32(model)
    return dataclasses.replace(
        outcome,
        test_accuracy=shifted_accuracy(model, data, 0),
        shifted={pixels: shifted_accuracy(model, data, pixels) for pixels in comparison.shifts},
    )
