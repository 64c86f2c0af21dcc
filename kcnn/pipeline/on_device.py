"""The story of a run on the JAX backend, up to the trained and scored model; see `run`."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import keras

from kcnn import models
from kcnn.arithmetic import model_arithmetic
from kcnn.comparison import Comparison
from kcnn.evaluation import Evaluation
from kcnn.models.files import in_float32
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.precision import decided
from kcnn.pipeline.records import begin, course_of, report_of
from kcnn.pipeline.setup import build, callbacks_for, load_for_jax, training_for
from kcnn.pipeline.variants import Variant, facts, score, with_tta
from kcnn.provenance import git_commit
from kcnn.recipe import Recipe
from kcnn.report.confusion_plot import plot_confusion
from kcnn.report.learning_curves import plot_curves
from kcnn.report.receipts import Receipt, Report, receipt
from kcnn.run_dir import RunDir

_TENSORFLOW_SECTIONS = ("prune", "slim", "cluster", "quantize_aware", "quantize", "explain")
_HOW = "set KERAS_BACKEND=tensorflow where TensorFlow is installed"

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
    """Train and score as `recipe` says, and keep all of it in `folder`; TensorFlow is not needed.

    What needs it (making the model smaller, int8 files, heat maps, times in LiteRT) is left out,
    which the log and `report.json` say. All other files are those of a run on TensorFlow.

    Args:
        recipe: what to do.
        name: what to call the run in its report.
        folder: the run's folder; made if absent.
        data_dir: where prepared tfds data sets lie; None for tfds's own default.
        overwrite: allow a folder that holds an earlier run.
        control: refused, as there are no teachers here.

    Raises:
        ValueError: the recipe cannot be run here; nothing has been written then.
        RuntimeError: the data cannot be had, or training diverged.
    """
    run_dir = RunDir(Path(folder))
    run_dir.check_free(overwrite=overwrite)
    _check(recipe, control=control)
    recipe = decided(recipe)
    commit = git_commit()
    keras.utils.set_random_seed(recipe.seed)
    data = load_for_jax(recipe, data_dir)
    model = build(recipe, data)
    training = None if recipe.trained else training_for(recipe, model, data)
    callbacks = callbacks_for(recipe.train, data, run_dir.path)
    begin(run_dir, recipe, data.class_names)
    left_out = _say_what_is_left_out(recipe, run_dir)

    trained = training and training(callbacks=callbacks)
    model = in_float32(trained.model if trained else model)
    if trained:
        plot_curves(trained.history, run_dir.picture("curves"), best_epoch=trained.best_epoch)
    variants = _variants(recipe, model, run_dir)
    evaluations = [score(variant, data) for variant in variants]
    plot_confusion(evaluations[0].confusion, data.class_names, run_dir.picture("confusion"))
    course = course_of(trained, recipe.train) if trained else {"taken_from": recipe.trained}
    course |= {"backend": keras.config.backend(), "left_out": left_out}
    receipts = _receipts(variants, evaluations)
    report = report_of(recipe, name, data, model, course, receipts, commit)
    report.save(run_dir.report)
    write_findings(run_dir, data, variants, evaluations)
    return report


def compare(
    comparison: Comparison, name: str, folder: str | os.PathLike, **options: object
) -> None:
    """Refuse a comparison.

    Raises:
        ValueError: always; comparisons are made by TensorFlow.
    """
    raise ValueError(f"Comparisons such as {name!r} are made by TensorFlow only: {_HOW}.")


def _check(recipe: Recipe, *, control: bool) -> None:
    """Refuse what would not be the run that was asked for."""
    backend = keras.config.backend()
    if backend != "jax":
        raise ValueError(f"kcnn runs on the backends tensorflow and jax. Received: {backend!r}")
    if recipe.distill or control:
        raise ValueError(f"Training with a teacher (distill) needs TensorFlow: {_HOW}.")
    if recipe.train.tensorboard:
        raise ValueError(f"Keras writes for TensorBoard with TensorFlow only: {_HOW}.")


def _say_what_is_left_out(recipe: Recipe, run_dir: RunDir) -> str:
    sections = [name for name in _TENSORFLOW_SECTIONS if getattr(recipe, name)]
    left_out = ", ".join([*sections, "times in LiteRT"])
    logger.info(
        "on the JAX backend this run leaves out: %s; with TensorFlow, what was trained here goes "
        "on: KERAS_BACKEND=tensorflow kcnn export %s",
        left_out,
        run_dir.model,
    )
    return left_out


def _variants(recipe: Recipe, model: keras.Model, run_dir: RunDir) -> list[Variant]:
    macs = model_arithmetic(model).macs
    whole = Variant("float", models.save(model, run_dir.model), model, macs)
    return [whole] if recipe.tta == "none" else [whole, with_tta(whole, recipe.tta)]


def _receipts(
    variants: Sequence[Variant], evaluations: Sequence[Evaluation]
) -> tuple[Receipt, ...]:
    return tuple(
        receipt(
            variant.name,
            variant.file,
            evaluation,
            ms_per_image=None,
            **facts(variant),
        )
        for variant, evaluation in zip(variants, evaluations, strict=True)
    )
