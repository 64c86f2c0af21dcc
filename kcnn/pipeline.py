"""The whole story of a run, from a recipe to its receipts. The only reader of a recipe's fields."""

import dataclasses
import logging
import os
import tempfile
from pathlib import Path

import keras
import numpy as np

from kcnn import compress, explain, export, models
from kcnn.callbacks import standard
from kcnn.data import Data, source
from kcnn.data import load as load_data
from kcnn.evaluation import Evaluation, evaluate
from kcnn.litert import TFLiteClassifier
from kcnn.recipe import Explain, Prune, Quantize, Recipe, Train, to_json
from kcnn.report import plots
from kcnn.report.stages import Report, Stage, git_commit, stage
from kcnn.run_dir import RunDir, atomic
from kcnn.training import TrainResult, cosine, make_optimizer, train

_TIMED_IMAGES = 20

logger = logging.getLogger("kcnn")


@dataclasses.dataclass(frozen=True)
class Form:
    """One form of the model on its way to the phone."""

    name: str
    file: Path
    model: keras.Model
    """Itself, or for a .tflite file what it was made from."""


def run(
    recipe: Recipe,
    name: str,
    folder: str | os.PathLike,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
) -> Report:
    """Train, prune, quantise, score and explain as `recipe` says, and keep all of it in `folder`.

    Choices are made on validation images only; the test set is scored once, at the end.

    Args:
        recipe: what to do.
        name: what to call the run in its report.
        folder: the run's folder; made if absent.
        data_dir: where prepared tfds data sets lie; None for tfds's own default.
        overwrite: allow a folder that holds an earlier run.

    Raises:
        ValueError: the recipe cannot be run; nothing has been written then.
        RuntimeError: the data cannot be had, or training diverged.
    """
    run_dir = RunDir(Path(folder))
    run_dir.check_free(overwrite=overwrite)
    commit = git_commit()  # of the code that runs, not of what it has become by the end
    keras.utils.set_random_seed(recipe.seed)
    data = _load(recipe, data_dir)
    model = _build(recipe, data)
    optimizer = _optimizer(recipe.train, data)
    callbacks = _callbacks(recipe.train, run_dir)
    run_dir.start()
    _write(run_dir.recipe, to_json(recipe))
    _write(run_dir.labels, "\n".join(data.class_names) + "\n")

    trained = train(
        model, data, epochs=recipe.train.epochs, optimizer=optimizer, callbacks=callbacks
    )
    forms = [Form("float", models.save(model, run_dir.model), model)]
    if recipe.prune:
        forms += _prune(recipe.prune, model, data, run_dir)
    if recipe.quantize:
        forms += [_quantize(recipe.quantize, form, data) for form in forms[:2]]

    evaluations = [_score(form, data) for form in forms]
    if recipe.explain:
        _explain(recipe.explain, model, data, run_dir)
    plots.plot_curves(trained.history, run_dir.picture("curves"), best_epoch=trained.best_epoch)
    plots.plot_confusion(evaluations[0].confusion, data.class_names, run_dir.picture("confusion"))
    stages = tuple(_receipt(*pair, data) for pair in zip(forms, evaluations, strict=True))
    report = _report(recipe, name, data, trained, stages)
    report = dataclasses.replace(report, git_commit=commit)
    report.save(run_dir.report)
    return report


def _load(recipe: Recipe, data_dir: str | None) -> Data:
    section = recipe.data
    return load_data(
        source(section.name, image_size=section.image_size),
        batch_size=section.batch_size,
        augment=section.augment,
        validation=section.validation,
        seed=recipe.seed,
        limit=section.limit,
        data_dir=data_dir,
    )


def _build(recipe: Recipe, data: Data) -> keras.Model:
    decided = {"input_shape": data.image_shape, "num_classes": len(data.class_names)}
    if clash := decided.keys() & recipe.model.options:
        raise ValueError(f"model.options.{min(clash)} cannot be set: the data decide it.")
    model = models.build(recipe.model.name, **recipe.model.options, **decided)
    logger.info("model: %s, %d parameters", recipe.model.name, model.count_params())
    return model


def _optimizer(section: Train, data: Data) -> keras.optimizers.Optimizer:
    rate: object = section.learning_rate
    if section.schedule == "cosine":
        rate = cosine(
            section.learning_rate,
            epochs=section.epochs,
            steps_per_epoch=data.steps_per_epoch,
            warmup_epochs=section.warmup_epochs,
        )
    return make_optimizer(section.optimizer, rate, section.weight_decay)


def _callbacks(section: Train, run_dir: RunDir) -> list[keras.callbacks.Callback]:
    plateau = section.schedule == "plateau"
    return standard(
        run_dir.path,
        patience=section.patience if plateau else None,
        plateau=plateau,
        tensorboard=section.tensorboard,
    )


def _prune(section: Prune, model: keras.Model, data: Data, run_dir: RunDir) -> list[Form]:
    forms = []
    for sparsity in section.sparsities:
        logger.info("pruning to %.0f %% zeros", 100 * sparsity)
        result = compress.prune(
            model,
            data,
            sparsity=sparsity,
            epochs=section.epochs,
            schedule=section.schedule,
            learning_rate=section.learning_rate,
        )
        model = result.model
        file = models.save(model, run_dir.pruned(sparsity, exported=not forms))
        forms.append(Form(f"pruned {sparsity:.0%}", file, model))
    return forms


def _quantize(section: Quantize, form: Form, data: Data) -> Form:
    logger.info("quantising the %s model to int8", form.name)
    result = export.export_tflite(
        form.model,
        form.file.with_name(f"{form.file.stem}_int8.tflite"),
        calibration=data.calibration,
        samples=section.samples,
        labels=data.class_names,
    )
    name = "int8" if form.name == "float" else f"{form.name}, int8"
    return Form(name, result.path, form.model)


def _score(form: Form, data: Data) -> Evaluation:
    logger.info("scoring %s on the test set", form.file.name)
    return evaluate(form.file, data.test, expected_count=data.num_test)


def _receipt(form: Form, evaluation: Evaluation, data: Data) -> Stage:
    images, _ = next(data.validation.as_numpy_iterator())
    return stage(
        form.name,
        form.file,
        evaluation,
        ms_per_image=_milliseconds(form, images[:_TIMED_IMAGES]),
        sparsity=compress.sparsity(form.model),
    )


def _milliseconds(form: Form, images: np.ndarray) -> float:
    """Measure every form on the one runtime that a phone has."""
    if form.file.suffix == ".tflite":
        return TFLiteClassifier(form.file).milliseconds_per_image(images)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "float.tflite"
        export.export_tflite(form.model, file, quantization="none")
        return TFLiteClassifier(file).milliseconds_per_image(images)


def _explain(section: Explain, model: keras.Model, data: Data, run_dir: RunDir) -> None:
    images, labels = next(data.test.unbatch().batch(section.images).as_numpy_iterator())
    heatmaps = explain.grad_cam(model, images)
    titles = [
        f"{data.class_names[truth]}, told as {data.class_names[told]}"
        for truth, told in zip(labels, heatmaps.class_index, strict=True)
    ]
    heatmaps.save(run_dir.picture("grad_cam"), images, titles)


def _report(
    recipe: Recipe, name: str, data: Data, trained: TrainResult, stages: tuple[Stage, ...]
) -> Report:
    weights = trained.model.trainable_weights
    return Report(
        recipe=name,
        model=recipe.model.name,
        parameters=int(sum(np.prod(weight.shape) for weight in weights)),
        dataset=recipe.data.name,
        train_images=data.num_train,
        stages=stages,
        training={
            "epochs": trained.epochs,
            "best_epoch": trained.best_epoch,
            "seconds": round(trained.seconds, 1),
            "stop_reason": trained.stop_reason,
        },
        seed=recipe.seed,
    )


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)
