"""The folder that a mobile developer gets: model, facts, golden vectors, source code, web page."""

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kcnn import models
from kcnn.bundle.c_array import write_c_array
from kcnn.bundle.manifest import Golden, Manifest, Score, sha256
from kcnn.bundle.snippets import write_readme, write_snippets
from kcnn.errors import one_line
from kcnn.export import export_tflite
from kcnn.export.checks import check_model
from kcnn.litert import TFLiteSummary, summarize
from kcnn.litert.activations import peak_activation_bytes
from kcnn.litert.labels import append_labels
from kcnn.litert.metadata import with_metadata
from kcnn.provenance import timestamp
from kcnn.runtimes import RUNTIMES, micro, write_page

MODEL, SOURCE = "model_int8.tflite", "model.keras"
_PACKAGES = ("kcnn", "tensorflow", "keras", "ai-edge-litert", "numpy")
# TensorFlow Lite Micro's own needs differ from chip to chip, and are a guess without it.
_ARENA_ROOM, _GUESS_ROOM = 1.25, 2.0


def write_bundle(
    model: keras.Model,
    folder: str | os.PathLike,
    *,
    calibration: tf.data.Dataset | np.ndarray,
    golden: np.ndarray,
    labels: Sequence[str] | None = None,
    samples: int = 300,
    score: Callable[[Path], Score] | None = None,
) -> Manifest:
    """Write everything that an app needs to run a model, and to prove that it runs it rightly.

    Use it to hand a model over: `model_int8.tflite` with its class names and TensorFlow Lite's
    metadata, `README.md`, `bundle.json`, ten golden images with their exact answers,
    `model_data.cc` for microcontrollers, classifiers in Kotlin, Swift and C++, a web page, and the
    Keras model that it all came from. `kcnn.bundle.verify` holds it to its golden answers on three
    runtimes.

    Args:
        model: as for `kcnn.export_tflite`.
        folder: a new or empty folder.
        calibration: training images, as for `kcnn.export_tflite`.
        golden: uint8 `(count, height, width, channels)`, ten test images.
        labels: the class names.
        samples: how many calibration images are used.
        score: called with the path of the int8 model before it is handed over, to measure it.

    Raises:
        ValueError: the folder holds something, the model takes other images than grey or RGB ones,
            or the model or the images cannot be exported.
        RuntimeError: the model has operations that TensorFlow Lite lacks.
    """
    folder = Path(folder).resolve()
    check_free(folder)
    _check_channels(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        made = Path(name) / "bundle"
        made.mkdir()
        options = {"calibration": calibration, "samples": samples, "labels": labels}
        summary = _write_model(model, made, **options)
        outputs = RUNTIMES["litert"].run((made / MODEL).read_bytes(), golden).outputs
        _write_golden(made / "golden", golden, outputs)
        write_c_array((made / MODEL).read_bytes(), made)
        (made / "snippets").mkdir()
        arena_bytes, note = _arena(made / MODEL)
        write_snippets(summary, made / "snippets", arena_bytes=arena_bytes, arena_note=note)
        _write_web(model, made / "web", golden, outputs, **options)
        measured = score and score(made / MODEL)
        write_readme(summary, made, name=model.name, golden=len(golden), score=measured)
        written = _manifest(model.name, made, summary, len(golden), measured)
        written.save(made)
        if folder.is_dir():  # it stays, as somebody may work in it
            for path in made.iterdir():
                path.rename(folder / path.name)
        else:
            made.rename(folder)
    return written


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        ValueError: it does, or it is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{str(folder)!r} exists: name a new folder for the bundle.")


def _check_channels(model: keras.Model) -> None:
    (*_, channels), _ = check_model(model)
    if channels not in (1, 3):
        raise ValueError(
            "A bundle's code and page read grey and RGB pictures: the model must take 1 or 3 "
            f"channels. Received: {channels}."
        )


def _write_model(model: keras.Model, folder: Path, **options: object) -> TFLiteSummary:
    path = folder / MODEL
    export_tflite(model, path, **options)
    summary = summarize(path)
    shape = "x".join(map(str, summary.inputs[0].shape[1:]))
    data = with_metadata(
        path.read_bytes(),
        summary,
        name=model.name,
        description=f"Classifies images of {shape} raw pixels. Made by kcnn.",
    )
    path.write_bytes(append_labels(data, summary.labels))
    models.save(models.files.in_float32(model), folder / SOURCE)
    return summarize(path)


def _write_golden(folder: Path, images: np.ndarray, outputs: np.ndarray) -> None:
    folder.mkdir()
    (folder / "images.bin").write_bytes(np.ascontiguousarray(images).tobytes())
    (folder / "outputs.bin").write_bytes(np.ascontiguousarray(outputs).tobytes())


def _write_web(
    model: keras.Model, folder: Path, golden: np.ndarray, outputs: np.ndarray, **options: object
) -> None:
    """Write the page, whose runtime takes uint8 only: the same answers, 128 higher."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.tflite"
        export_tflite(model, path, io="uint8", **options)
        raised = (outputs.astype(np.int16) + 128).astype(np.uint8)
        write_page(folder, path.read_bytes(), golden, raised, title=model.name)


def _arena(path: Path) -> tuple[int, str]:
    """Return the memory to give to TensorFlow Lite Micro, and how that is known, in one line."""
    data = path.read_bytes()
    guess = round(_GUESS_ROOM * peak_activation_bytes(data))
    if micro.available() is not None:
        return guess, "A guess: `kcnn verify` measures it where TensorFlow Lite Micro is installed."
    try:
        needed = micro.arena_bytes(data)
    except RuntimeError as error:  # it lacks operators that phones have
        return guess, f"A guess, and this file may not compile: {one_line(error)}"
    return (
        round(_ARENA_ROOM * needed),
        "Measured with TensorFlow Lite Micro on a PC, and a quarter more.",
    )


def _manifest(
    name: str, folder: Path, summary: TFLiteSummary, count: int, score: Score | None
) -> Manifest:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Manifest(
        name=name,
        model=MODEL,
        source=SOURCE,
        input=summary.inputs[0],
        output=summary.outputs[0],
        labels=summary.labels,
        golden=Golden("golden/images.bin", "golden/outputs.bin", count),
        test_accuracy=score and score.accuracy,
        test_images=score and score.count,
        sha256={path.relative_to(folder).as_posix(): sha256(path) for path in files},
        versions={package: version(package) for package in _PACKAGES},
        machine=platform.machine(),
        created=timestamp(),
    )
