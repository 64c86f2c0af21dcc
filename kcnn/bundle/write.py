"""Write a bundle, the folder that a mobile developer gets."""

import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kcnn import models
from kcnn.bundle.arena import arena_of
from kcnn.bundle.c_array import write_c_array
from kcnn.bundle.card import About, write_card
from kcnn.bundle.golden import write_golden
from kcnn.bundle.manifest import MODELS, SOURCE, WEB_MODEL, Golden, Manifest, Score
from kcnn.bundle.projects import write_projects
from kcnn.bundle.reading import check_threshold, threshold_of
from kcnn.bundle.scored import scored
from kcnn.bundle.snippets import write_readme, write_snippets
from kcnn.data import Data
from kcnn.errors import unknown
from kcnn.export import ExportResult, export_tflite
from kcnn.export.checks import check_model
from kcnn.litert import TFLiteSummary, read_requirements, summarize
from kcnn.models.files import in_float32
from kcnn.pixel_scaling import InputRange
from kcnn.provenance import sha256, timestamp
from kcnn.runtimes import write_page

_GOLDEN = 10  # images
_UNSTATED = About()
_PACKAGES = ("kcnn", "tensorflow", "keras", "ai-edge-litert", "numpy")


def write_bundle(  # noqa: PLR0913 - what an app's developer decides
    model: keras.Model,
    folder: str | os.PathLike,
    *,
    data: Data | None = None,
    calibration: tf.data.Dataset | np.ndarray | None = None,
    golden: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    samples: int = 300,
    io: str = "int8",
    input_range: InputRange | None = None,
    threshold: float | None = None,
    about: About = _UNSTATED,
) -> Manifest:
    """Write everything that an app needs to run a model, and to prove that it runs it correctly.

    Use it to hand a model over. The folder gets `model_int8.tflite` with its class names and
    TensorFlow Lite's metadata, `README.md`, `MODEL_CARD.md`, `bundle.json`, golden images with the
    exact answers to them, `model_data.cc` for microcontrollers, classifiers in Kotlin, Swift and
    C++, a web page, and the Keras model that all of it was made from. `kcnn.bundle.verify` runs the
    files on real runtimes and compares their outputs with the golden answers.

    The model may predict one of its classes, decide between two with a single output, or end in a
    sigmoid for each of several classes, which then do not exclude each other.

    Args:
        model: as for `kcnn.export_tflite`.
        folder: a new or empty folder.
        data: calibration images, the first ten test images as golden images and class names come
            from here, unless they are passed; the int8 file is scored on all test images. Without
            `data`, or for a model that predicts several classes at once, the bundle has no score.
        calibration: training images, as for `kcnn.export_tflite`.
        golden: uint8 `(count, height, width, channels)`, test images, best ten.
        labels: the class names; those of both classes for a model with a single output.
        samples: how many calibration images are used.
        io: dtype of the model's input and output. `"uint8"` for MediaPipe and for cameras.
        input_range: what the model was trained on, as for `kcnn.export_tflite`.
        threshold: the probability from which a class is predicted, of a model with a single output
            (whose probability is that of the second class) or with a sigmoid for each class; 0.5
            by default. Other models take none.
        about: what the model card says and neither the model nor `data` know, such as the license.

    Returns:
        What is in the folder, as `bundle.json` says it.

    Raises:
        ValueError: the folder is not empty, `calibration` or `golden` images are missing, the model
            takes images that are neither gray nor RGB, or has no use for the threshold, or the
            model or the images cannot be exported.
        RuntimeError: the model has operations that TensorFlow Lite lacks.
    """
    folder = Path(folder).resolve()
    check_free(folder)
    _check_channels(model)
    check_threshold(threshold)
    if data is not None:
        calibration = data.calibration if calibration is None else calibration
        golden = _first_test_images(data) if golden is None else golden
        labels = data.class_names if labels is None else labels
    if golden is None:
        raise ValueError("A bundle needs golden images: pass data=, or ten test images as golden=.")
    if io not in MODELS:
        raise unknown("io", io, MODELS)
    if input_range is not None:
        model = models.take_raw_pixels(model, input_range)
    said = input_range is not None
    exported = _Exported(model, calibration, labels, samples, io, said, threshold, about)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        made = Path(name) / "bundle"
        made.mkdir()
        manifest = _write(exported, made, golden, data)
        manifest.save(made)
        if folder.is_dir():  # it stays, as a program may work in it
            for path in made.iterdir():
                path.rename(folder / path.name)
        else:
            made.rename(folder)
    return manifest


def check_free(folder: Path) -> None:
    """Refuse a folder that is not empty.

    Raises:
        ValueError: the folder holds something, or it is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{str(folder)!r} exists: name a new folder for the bundle.")


def _check_channels(model: keras.Model) -> None:
    (*_, channels), _ = check_model(model)
    if channels not in (1, 3):
        raise ValueError(
            "A bundle's code and page read gray and RGB pictures: the model must take 1 or 3 "
            f"channels. Received: {channels}."
        )


def _first_test_images(data: Data) -> np.ndarray:
    return next(data.test.unbatch().batch(_GOLDEN).as_numpy_iterator())[0]


@dataclass(frozen=True)
class _Exported:
    """A model and what its int8 files are made with."""

    model: keras.Model
    calibration: tf.data.Dataset | np.ndarray | None
    labels: Sequence[str] | None
    samples: int
    io: str
    said: bool  # that the model takes raw pixels
    threshold: float | None  # as the caller asked for it
    about: About

    def write(self, path: Path, io: str) -> ExportResult:
        return export_tflite(
            self.model,
            path,
            io=io,
            calibration=self.calibration,
            samples=self.samples,
            labels=self.labels,
            input_range="0..255" if self.said or io == "uint8" else None,  # warned of once
        )


def _write(exported: _Exported, folder: Path, golden: np.ndarray, data: Data | None) -> Manifest:
    """Write all files but the manifest, which is returned."""
    name, path = exported.model.name, folder / MODELS[exported.io]
    summary, calibrated = _write_model(exported, folder)
    classes = summary.outputs[0].shape[1]
    content = path.read_bytes()
    threshold = threshold_of(content, classes, exported.threshold)
    facts, outputs = write_golden(content, folder, golden)
    write_c_array(content, folder)
    (folder / "snippets").mkdir()
    arena = arena_of(path)
    reserved = {"arena_bytes": arena.bytes, "arena_note": arena.note}
    write_snippets(summary, folder / "snippets", threshold=threshold, **reserved)
    _write_web(exported, folder / WEB_MODEL, golden, outputs, threshold)
    found = None if data is None else scored(path, data, threshold, classes)
    score = found and found.score
    no_plain_c = write_projects(path, folder, golden)
    said = {"score": score, "no_plain_c": no_plain_c, "threshold": threshold}
    write_readme(summary, folder, name=name, golden=len(golden), **said)
    of_model = {"name": name, "parameters": exported.model.count_params(), "calibrated": calibrated}
    of_model |= {"source": SOURCE, "versions": _versions(), "created": timestamp()}
    measured = {"scored": found, "arena": arena, "threshold": threshold}
    write_card(summary, folder, of_model, about=exported.about, **measured)
    return replace(_manifest(name, folder, summary, facts, score), threshold=threshold)


def _write_model(exported: _Exported, folder: Path) -> tuple[TFLiteSummary, int]:
    """Write the int8 and the Keras model; return the former, and how many images calibrated it."""
    path = folder / MODELS[exported.io]
    calibrated = exported.write(path, exported.io).calibration_count
    models.save(in_float32(exported.model), folder / SOURCE)
    return summarize(path), calibrated


def _versions() -> dict[str, str]:
    return {package: version(package) for package in _PACKAGES}


def _write_web(
    exported: _Exported,
    path: Path,
    golden: np.ndarray,
    outputs: np.ndarray,
    threshold: float | None,
) -> None:
    """Write the page. Its runtime takes uint8 only: its stored outputs are those of int8 + 128."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / path.name
        exported.write(file, "uint8")
        raised = outputs
        if outputs.dtype == np.int8:
            raised = (outputs.astype(np.int16) + 128).astype(np.uint8)
        said = {"title": exported.model.name, "threshold": threshold}
        write_page(path.parent, file.read_bytes(), golden, raised, **said)


def _manifest(
    name: str, folder: Path, summary: TFLiteSummary, golden: Golden, score: Score | None
) -> Manifest:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Manifest(
        name=name,
        model=summary.path.name,
        source=SOURCE,
        input=summary.inputs[0],
        output=summary.outputs[0],
        labels=summary.labels,
        golden=golden,
        test_accuracy=None if score is None else score.accuracy,
        test_images=None if score is None else score.count,
        sha256={path.relative_to(folder).as_posix(): sha256(path) for path in files},
        versions=_versions(),
        machine=platform.machine(),
        created=timestamp(),
        runs_on=read_requirements(summary.path.read_bytes()).lines(),
    )
