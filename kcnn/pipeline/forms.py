"""The forms a model takes on its way to the phone, and their receipts."""

import dataclasses
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kcnn import compress, export
from kcnn.data import Data
from kcnn.evaluation import TTA, Evaluation, evaluate
from kcnn.litert import TFLiteClassifier
from kcnn.report.stages import Stage, stage
from kcnn.runtimes import RUNTIMES

_TIMED_IMAGES = 20

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Form:
    """One form of the model on its way to the phone."""

    name: str
    file: Path
    model: keras.Model
    """Itself, or for a .tflite file what it was made from."""
    macs: int
    """Multiply-accumulates for an image."""
    tta: str = "none"
    """The test-time augmentation of its score."""


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
        macs=form.macs,
        arena_bytes=_arena_bytes(form, images[:1]),
    )


def _milliseconds(form: Form, images: np.ndarray) -> float:
    """Measure every form on the one runtime that a phone has."""
    if form.file.suffix == ".tflite":
        return TFLiteClassifier(form.file).milliseconds_per_image(images)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "float.tflite"
        export.export_tflite(form.model, file, quantization="none")
        return TFLiteClassifier(file).milliseconds_per_image(images)


def _arena_bytes(form: Form, image: np.ndarray) -> int | None:
    """Measure what an int8 file takes of a microcontroller's memory, where that can be asked."""
    micro = RUNTIMES["tflite-micro"]
    if form.file.suffix != ".tflite" or micro.available() is not None:
        return None
    return micro.run(form.file.read_bytes(), image).details["arena_bytes"]
