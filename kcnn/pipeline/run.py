"""The whole story of a run, from a recipe to its receipts."""

import dataclasses
import logging
import os
from pathlib import Path

import keras
import numpy as np

from kcnn import explain, models
from kcnn.arithmetic import model_arithmetic
from kcnn.data import Data
from kcnn.models.files import in_float32
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.forms import Form, receipts, score, with_tta
from kcnn.pipeline.samples import spread_images
from kcnn.pipeline.setup import build, callbacks_for, load, training_for
from kcnn.pipeline.shrink import check, shrunk
from kcnn.recipe import Recipe, to_json
from kcnn.report import plots
from kcnn.report.page import write_page
from kcnn.report.stages import CONTROL, Report, Stage, git_commit
from kcnn.run_dir import RunDir, atomic
from kcnn.training import TrainResult

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
    commit = git_commit()  # of the code that runs, not of what it has become by the end
    keras.utils.set_random_seed(recipe.seed)
    data = load(recipe, data_dir)
    model = build(recipe, data)
    check(recipe, model, data)
    training = None if recipe.trained else training_for(recipe, model, data)
    callbacks = callbacks_for(recipe.train, data, run_dir.path)
    run_dir.start()
    _write(run_dir.recipe, to_json(recipe))
    _write(run_dir.labels, "\n".join(data.class_names) + "\n")

    trained = training and training(callbacks=callbacks)
    model = in_float32(trained.model if trained else model)
    forms = shrunk(recipe, model, data, run_dir)
    if recipe.tta != "none":
        forms.append(with_tta(forms[0], recipe.tta))

    evaluations = [score(form, data) for form in forms]
    explained = recipe.explain.images if recipe.explain else 0
    if explained and not _explain(explained, model, data, run_dir):
        explained = 0
    if trained:
        plots.plot_curves(trained.history, run_dir.picture("curves"), best_epoch=trained.best_epoch)
    plots.plot_confusion(evaluations[0].confusion, data.class_names, run_dir.picture("confusion"))
    stages = receipts(forms, evaluations)
    course = _course(trained) if trained else {"taken_from": recipe.trained}
    report = _report(recipe, name, data, model, course, stages, commit)
    report.save(run_dir.report)
    write_findings(run_dir, data, forms, evaluations, explained=explained)
    if control:  # once the run itself is safe: this is another training, and may diverge
        form = _control(recipe, data_dir, run_dir)
        last = receipts([form], [score(form, data)])
        report = dataclasses.replace(report, stages=(*report.stages, *last))
        report.save(run_dir.report)
        write_page(run_dir.path)
    return report


def _control(recipe: Recipe, data_dir: str | None, run_dir: RunDir) -> Form:
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
    return Form(CONTROL, file, model, macs)


def _explain(count: int, model: keras.Model, data: Data, run_dir: RunDir) -> bool:
    """Draw where the model sees some test images' classes, if it has a map to see it in."""
    images, labels = spread_images(data, count)
    try:
        heatmaps = explain.grad_cam(model, images)
    except ValueError as reason:  # a perceptron has no maps: no reason to lose the run
        logger.warning("no heat maps: %s", reason)
        return False
    titles = [
        f"{data.class_names[truth]}, told as {data.class_names[told]}"
        for truth, told in zip(labels, heatmaps.class_index, strict=True)
    ]
    heatmaps.save(run_dir.picture("grad_cam"), images, titles)
    return True


def _course(trained: TrainResult) -> dict[str, float | int | str]:
    return {
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "seconds": round(trained.seconds, 1),
        "stop_reason": trained.stop_reason,
    }


def _report(
    recipe: Recipe,
    name: str,
    data: Data,
    model: keras.Model,
    course: dict[str, float | int | str],
    stages: tuple[Stage, ...],
    commit: str | None,
) -> Report:
    return Report(
        recipe=name,
        model=recipe.model.name,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        dataset=recipe.data.name,
        train_images=data.num_train,
        stages=stages,
        training=course,
        seed=recipe.seed,
        git_commit=commit,
    )


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)
