"""What a run writes of itself: what was asked when it begins, what came of it in its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kcnn.recipe import Recipe, Train, to_json
from kcnn.report.receipts import Receipt, Report
from kcnn.run_dir import RunDir, atomic
from kcnn.training import TrainResult

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

Course = dict[str, float | int | str]


def begin(run_dir: RunDir, recipe: Recipe, class_names: Sequence[str]) -> None:
    """Make the run's folder with its recipe and its class names."""
    run_dir.start()
    _write(run_dir.recipe, to_json(recipe))
    _write(run_dir.labels, "\n".join(class_names) + "\n")


def course_of(trained: TrainResult, section: Train) -> Course:
    """Return what a report says of the training."""
    return {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "seconds": round(trained.seconds, 1),
        "stop_reason": trained.stop_reason,
        "precision": section.precision,
    }


def report_of(
    recipe: Recipe,
    name: str,
    data: "Data | JaxData",
    model: keras.Model,
    course: Course,
    receipts: tuple[Receipt, ...],
    commit: str | None,
) -> Report:
    """Return the report of a run."""
    return Report(
        recipe=name,
        model=recipe.model.name,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        dataset=recipe.data.name,
        train_images=data.num_train,
        receipts=receipts,
        training=course,
        seed=recipe.seed,
        git_commit=commit,
    )


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)
