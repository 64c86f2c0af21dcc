"""The forms a model takes on its way to the phone: whole, pruned, int8; and their receipts."""

import dataclasses
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kcnn import compress, export, models
from kcnn.data import Data
from kcnn.evaluation import TTA, Evaluation, evaluate
from kcnn.litert import TFLiteClassifier
from kcnn.recipe import Prune, Quantize
from kcnn.report.stages import Stage, stage
from kcnn.run_dir import RunDir

_TIMED_IMAGES = 20

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Form:
    """One form of the model on its way to the phone."""

    name: str
    file: Path
    model: keras.Model
    """Itself, or for a .tflite file what it was made from."""
    tta: str = "none"
    """The test-time augmentation of its score."""


def prune(section: Prune, model: keras.Model, data: Data, run_dir: RunDir) -> list[Form]:
    """Return the model at each level of sparsity, each pruned further from the one before."""
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


def quantize(section: Quantize, form: Form, data: Data) -> Form:
    """Return the form as an int8 file beside its own."""
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


def with_tta(form: Form, tta: str) -> Form:
    """Return the same form, to be scored with test-time augmentation, which its name tells."""
    return dataclasses.replace(form, name=f"{form.name}, TTA {tta}", tta=tta)


def score(form: Form, data: Data) -> Evaluation:
    """Score the form on the whole test set."""
    logger.info("scoring %s on the test set", form.file.name)
    return evaluate(form.file, data.test, expected_count=data.num_test, tta=form.tta)


def receipt(form: Form, evaluation: Evaluation, data: Data) -> Stage:
    """Return what the form is worth: its score, its sizes, its time for an image."""
    images, _ = next(data.validation.as_numpy_iterator())
    return stage(
        form.name,
        form.file,
        evaluation,
        ms_per_image=_milliseconds(form, images[:_TIMED_IMAGES]) * TTA[form.tta],
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
