"""What a run writes about itself: its recipe when it begins, its report when it ends."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.data.catalogue import short
from kcnn.evaluation import Evaluation
from kcnn.pipeline.borrowed import is_borrowed
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.plan import stage_files
from kcnn.pipeline.receipts import receipts
from kcnn.pipeline.setup import pretrained_file
from kcnn.pipeline.variants import Variant
from kcnn.provenance import sha256
from kcnn.recipe import Recipe, to_json
from kcnn.report.confusion_plot import plot_confusion
from kcnn.report.learning_curves import plot_curves
from kcnn.report.receipts import Report, load
from kcnn.run_dir import RunDir, atomic
from kcnn.training import TrainResult

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

Facts = dict[str, Any]

logger = logging.getLogger("kcnn")


def begin(
    run_dir: RunDir, recipe: Recipe, class_names: Sequence[str], *, deterministic: bool
) -> Journal:
    """Make the run's folder, without an earlier run's files, and write recipe and class names.

    Returns:
        The journal of the run, which is in the folder.
    """
    earlier_files = stage_files(recipe, run_dir)
    journal = Journal(run_dir, deterministic=deterministic)
    journal.save()  # first: from here on, a folder that a kill leaves is that of an unfinished run
    run_dir.start(earlier_files)
    _write(run_dir.labels, "\n".join(class_names) + "\n")
    _write(run_dir.recipe, to_json(recipe.resolved()))  # last: with it, a run goes on
    return journal


def go_on(run_dir: RunDir) -> Journal:
    """Return the journal of an unfinished run, without what its killed writes have left."""
    journal = Journal.read(run_dir)
    if journal is None:
        raise RuntimeError(f"{str(run_dir.journal)!r} has vanished.")
    run_dir.remove_leftovers()
    logger.info("going on with the run of %s in %s", journal.begun, run_dir.path)
    return journal


def keep_measured(journal: Journal, measured: dict[str, float]) -> dict[str, float]:
    """Record what decided the precision, or return what an earlier process of the run recorded."""
    if "precision" in journal.earlier:
        return journal.facts("precision") or {}
    if measured:
        journal.record("precision", [], **measured)
    return measured


def keep_digests(journal: Journal, recipe: Recipe) -> Facts:
    """Record the SHA-256 of the trained models that a run begins with: a name may change hands.

    Returns:
        Those that were recorded when the run began.
    """
    if "origins" in journal.earlier:
        return journal.facts("origins") or {}
    base = recipe.transfer and recipe.transfer.base
    named = {
        "model": recipe.trained,
        "base": None if base and is_borrowed(base) else base,
        "teacher": recipe.distill and recipe.distill.teacher,
    }
    found = {
        f"{purpose}_sha256": sha256(pretrained_file(name, purpose=purpose))
        for purpose, name in named.items()
        if name
    }
    if found:
        journal.record("origins", [], **found)
    return found


def facts_of_training(recipe: Recipe, trained: TrainResult | None) -> Facts:
    """Return what a report says of the training, or where its pretrained model came from."""
    if trained is None:
        return {"taken_from": recipe.trained or ""}
    return {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "seconds": round(trained.seconds, 1),
        "stop_reason": trained.stop_reason,
        "precision": recipe.train.precision,
        "rollbacks": [asdict(each) for each in trained.rollbacks],
    }


def plot_training(
    run_dir: RunDir,
    trained: TrainResult | None,
    evaluation: Evaluation,
    class_names: Sequence[str],
) -> None:
    """Draw the learning curves, if something was trained, and the confusion matrix."""
    if trained:
        curves = run_dir.picture("curves")
        plot_curves(trained.history, curves, best_epoch=trained.best_epoch)
    plot_confusion(evaluation.confusion, class_names, run_dir.picture("confusion"))


def report_once(  # noqa: PLR0913 - all that a report is about
    journal: Journal,
    recipe: Recipe,
    name: str,
    data: "Data | JaxData",
    model: keras.Model,
    training: Facts,
    variants: Sequence[Variant],
    evaluations: Sequence[Evaluation],
    commit: str | None,
) -> Report:
    """Measure the variants, save and return the report, or return that of an earlier process."""
    file = journal.run_dir.report
    if journal.facts("report") is not None:
        return load(file)
    report = Report(
        recipe=name,
        model=_network(recipe, model),
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        dataset=short(recipe.data.name),
        train_images=data.num_train,
        receipts=receipts(variants, evaluations),
        training=training,
        seed=recipe.seed,
        git_commit=commit,
    )
    report.save(file)
    journal.record("report", [file])
    return report


def _network(recipe: Recipe, model: keras.Model) -> str:
    """Return the name of the network that a report is about."""
    if recipe.trained:
        return model.name
    return recipe.model.name or (recipe.transfer.base if recipe.transfer else recipe.model.builder)


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
