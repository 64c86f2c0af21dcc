"""The whole story of a run, from a recipe to its receipts."""

import dataclasses
import logging
import os
from pathlib import Path

import keras

from kcnn import explain, models
from kcnn.arithmetic import model_arithmetic
from kcnn.data import Data
from kcnn.models.files import in_float32
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.precision import decided
from kcnn.pipeline.receipts import receipts
from kcnn.pipeline.records import begin, course_of, report_of
from kcnn.pipeline.samples import spread_images
from kcnn.pipeline.setup import build, callbacks_for, load, training_for
from kcnn.pipeline.shrink import check, shrunk
from kcnn.pipeline.variants import Variant, score, with_tta
from kcnn.provenance import git_commit
from kcnn.recipe import Recipe
from kcnn.report.confusion_plot import plot_confusion
from kcnn.report.learning_curves import plot_curves
from kcnn.report.receipts import CONTROL, Report
from kcnn.report.run_page import write_page
from kcnn.run_dir import RunDir

logger = logging.getLogger("kcnn")


def run(
    recipe: Recipe,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
    control: bool = False,
) -> Report:
    """Train, prune, quantise, score and explain as `recipe` says, and keep all of it in `folder`.

    Choices are made on validation images only; the test set is scored once, at the end.

    Args:
        recipe: what to do.
        name: what to call the run in its report.
        folder: the run's folder; made if absent.
        data_dir: where prepared tfds data sets lie; None for tfds's own default.
        overwrite: allow a folder that holds an earlier run.
        control: train a second time without the recipe's teacher, to show what it is worth.

    Raises:
        ValueError: the recipe cannot be run; nothing has been written then.
        RuntimeError: the data cannot be had, or training diverged.
    """
    run_dir = RunDir(Path(folder))
    run_dir.check_free(overwrite=overwrite)
    if control and not recipe.distill:
        raise ValueError("A control is a run without teacher: this recipe has no distill section.")
    recipe = decided(recipe)
    commit = git_commit()  # of the code that runs, not of what it has become by the end
    keras.utils.set_random_seed(recipe.seed)
    data = load(recipe, data_dir)
    model = build(recipe, data)
    check(recipe, model, data)
    training = None if recipe.trained else training_for(recipe, model, data)
    callbacks = callbacks_for(recipe.train, data, run_dir.path)
    begin(run_dir, recipe, data.class_names)

    trained = training and training(callbacks=callbacks)
    model = in_float32(trained.model if trained else model)
    variants = shrunk(recipe, model, data, run_dir)
    if recipe.tta != "none":
        variants.append(with_tta(variants[0], recipe.tta))

    evaluations = [score(variant, data) for variant in variants]
    explained = recipe.explain.images if recipe.explain else 0
    if explained and not _explain(explained, model, data, run_dir):
        explained = 0
    if trained:
        plot_curves(trained.history, run_dir.picture("curves"), best_epoch=trained.best_epoch)
    plot_confusion(evaluations[0].confusion, data.class_names, run_dir.picture("confusion"))
    measured = receipts(variants, evaluations)
    course = course_of(trained, recipe.train) if trained else {"taken_from": recipe.trained}
    report = report_of(recipe, name, data, model, course, measured, commit)
    report.save(run_dir.report)
    write_findings(run_dir, data, variants, evaluations, explained=explained)
    if control:  # once the run itself is safe: this is another training, and may diverge
        variant = _control(recipe, data_dir, run_dir)
        last = receipts([variant], [score(variant, data)])
        report = dataclasses.replace(report, receipts=(*report.receipts, *last))
        report.save(run_dir.report)
        write_page(run_dir.path)
    return report


def _control(recipe: Recipe, data_dir: str | None, run_dir: RunDir) -> Variant:
    """Train the same model on the same batches from the same start, without the teacher."""
    logger.info("control: the same training without the teacher")
    section = dataclasses.replace(recipe.train, tensorboard=False)
    alone = dataclasses.replace(recipe, train=section, distill=None)
    keras.utils.set_random_seed(recipe.seed)
    data = load(alone, data_dir)
    training = training_for(alone, build(alone, data), data)
    trained = training(callbacks=callbacks_for(alone.train, data, None))
    model = in_float32(trained.model)
    file, macs = models.save(model, run_dir.control), model_arithmetic(model).macs
    return Variant(CONTROL, file, model, macs)


def _explain(count: int, model: keras.Model, data: Data, run_dir: RunDir) -> bool:
    """Draw where the model sees some test images' classes, if it has a map to see it in."""
    images, labels = spread_images(data, count)
    try:
        heatmaps = explain.grad_cam(model, images)
    except ValueError as reason:  # a perceptron has no maps: no reason to lose the run
        logger.warning("no heat maps: %s", reason)
        return False
    titles = [
        f"{data.class_names[truth]}, predicted {data.class_names[predicted]}"
        for truth, predicted in zip(labels, heatmaps.class_index, strict=True)
    ]
    heatmaps.save(run_dir.picture("grad_cam"), images, titles)
    return True
