"""A bundle held to its golden answers, and to a test set, on every runtime there is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.bundle.manifest import Manifest, inside, read
from kcnn.bundle.result import HELD, WEB, XNNPACK, Result, Verification
from kcnn.errors import one_line, unknown
from kcnn.evaluation import predictor
from kcnn.litert import summarize
from kcnn.litert.classifier import check_classifier
from kcnn.runtimes import RUNTIMES, Run
from kcnn.runtimes.runtime import TIMEOUT

# LiteRT.js has no int8 tensors and runs the page's own file.
_WEB_MODEL = "web/model.tflite"
_BATCH = 256


def verify(
    folder: str | os.PathLike,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    runtimes: Sequence[str] | None = None,
    timeout: float = TIMEOUT,
) -> Verification:
    """Run a bundle's files on real runtimes and compare what they answer.

    Use it before a model is handed over, and wherever one arrives. Every file is checked against
    its digest first. LiteRT runs the int8 model with three sets of kernels, TensorFlow Lite Micro
    runs the same bytes, LiteRT.js runs the page in a real browser. A runtime that is not installed
    is named with its reason in `Result.skipped`, one that refuses the model in `Result.failed`.

    Args:
        folder: of a bundle.
        images: uint8 test images `(count, height, width, channels)`; None for the golden ones only.
        labels: their classes, integers `(count,)`.
        runtimes: names from `kcnn.runtimes.RUNTIMES`; all by default.
        timeout: seconds after which a runtime is ended, each.

    Raises:
        ValueError: there is no bundle, a file of it was changed, a runtime's name is unknown, or
            the images do not fit the model.
    """
    folder = Path(folder)
    manifest = read(folder)
    names = list(RUNTIMES if runtimes is None else runtimes)
    for name in names:
        if name not in RUNTIMES:
            raise unknown("runtime", name, RUNTIMES)
    if (images is None) != (labels is None) or (images is not None and len(images) != len(labels)):
        raise ValueError("Test images need one label each.")
    _check_model(folder, manifest)
    golden, answers = _golden(folder, manifest)
    shown = golden if images is None else np.concatenate([golden, images])
    needed = [HELD[name][0] for name in names if name in HELD]
    runs = {
        name: _run(folder, manifest, name, shown, timeout)
        for name in dict.fromkeys([*names, *needed])
    }
    told = _told_by_source(folder, manifest, images) if images is not None else None
    compared = _Compared(answers, labels, runs, told)
    results = tuple(compared.result(name) for name in names)
    return Verification(manifest, results, asked=tuple(runtimes or ()))


def _check_model(folder: Path, manifest: Manifest) -> None:
    """Check that the model is what the manifest says."""
    summary = summarize(inside(folder, manifest.model))
    check_classifier(summary)
    found = (*summary.inputs, *summary.outputs)
    if {tensor.dtype for tensor in found} != {"int8"} or len(found) != 2:
        raise ValueError(f"{str(summary.path)!r} is no classifier of int8 numbers alone.")
    if (*found, summary.labels) != (manifest.input, manifest.output, manifest.labels):
        raise ValueError(
            f"The manifest of {str(folder)!r} does not fit its model: it says {manifest.input} and "
            f"{manifest.output}, the model has {found[0]} and {found[1]}."
        )


def _golden(folder: Path, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    """Return the golden images, and the answers without their zero point."""
    golden = manifest.golden
    shape = (golden.count, *manifest.input.shape[1:])
    pixels = np.fromfile(inside(folder, golden.images), np.uint8)
    outputs = np.fromfile(inside(folder, golden.outputs), np.int8)
    classes = manifest.output.shape[1]
    if pixels.size != np.prod(shape) or outputs.size != golden.count * classes:
        raise ValueError(f"The golden vectors of {str(folder)!r} are not {golden.count} images.")
    levels = outputs.reshape(golden.count, classes).astype(np.int32) - manifest.output.zero_point
    return pixels.reshape(shape), levels


def _run(
    folder: Path, manifest: Manifest, name: str, images: np.ndarray, timeout: float
) -> Run | Result:
    """Return what a runtime answers, or the result that it has none."""
    runtime = RUNTIMES[name]
    if reason := runtime.available():
        return Result(name, runtime.title, skipped=reason)
    model = inside(folder, _WEB_MODEL if name == WEB else manifest.model)
    try:
        return runtime.run(model.read_bytes(), images, timeout=timeout)
    except RuntimeError as error:
        return Result(name, runtime.title, failed=one_line(error))


def _told_by_source(folder: Path, manifest: Manifest, images: np.ndarray) -> np.ndarray:
    """Return the class of each image in the float32 Keras model."""
    predict = predictor(inside(folder, manifest.source))
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    return np.concatenate([np.argmax(predict(part), axis=-1) for part in parts])


@dataclass(frozen=True)
class _Compared:
    """What a runtime's answers are compared with."""

    golden: np.ndarray
    labels: np.ndarray | None
    runs: dict[str, Run | Result]
    told_by_source: np.ndarray | None

    def result(self, name: str) -> Result:
        run = self.runs[name]
        if isinstance(run, Result):
            return run
        count = len(self.golden)
        golden = np.abs(run.levels[:count] - self.golden)
        return Result(
            name,
            RUNTIMES[name].title,
            golden_equal=int((golden == 0).all(axis=1).sum()),
            golden_difference=int(golden.max()),
            held_difference=self._difference(run, HELD[name][0]) if name in HELD else None,
            milliseconds_per_image=run.milliseconds_per_image,
            arena_bytes=run.details.get("arena_bytes"),
            **self._on_test_images(run, count),
        )

    def _difference(self, run: Run, other: str, skip: int = 0) -> int | None:
        """Return the largest difference from another runtime, None if that one did not run."""
        theirs = self.runs.get(other)
        if not isinstance(theirs, Run):
            return None
        return int(np.abs(run.levels[skip:] - theirs.levels[skip:]).max())

    def _on_test_images(self, run: Run, skip: int) -> dict[str, int | float | None]:
        if self.labels is None or not len(self.labels):
            return {}
        told = run.levels[skip:].argmax(axis=1)
        found = {
            "images": len(told),
            "accuracy": float(np.mean(told == self.labels)),
            "float_agreement": float(np.mean(told == self.told_by_source)),
            "difference": self._difference(run, XNNPACK, skip),
        }
        reference = self.runs.get(XNNPACK)
        if isinstance(reference, Run):
            found["agreement"] = float(np.mean(told == reference.levels[skip:].argmax(axis=1)))
        return found
