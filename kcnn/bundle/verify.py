"""A bundle held to its golden answers, and to a test set, on every runtime there is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.bundle.manifest import Manifest, inside, read
from kcnn.errors import unknown
from kcnn.evaluation import predictor
from kcnn.runtimes import RUNTIMES, Run

# LiteRT.js has no int8 tensors and runs the page's own file.
_WEB, _WEB_MODEL = "litert-js", "web/model.tflite"
_REFERENCE = "litert"
_BATCH = 256


@dataclass(frozen=True)
class Result:
    """What one runtime made of a bundle; what was not measured is None.

    The answers are compared with those of LiteRT with XNNPACK, by which the golden ones were
    made, the told classes also with those of the Keras model in float32.
    """

    runtime: str
    title: str
    skipped: str | None = None
    """Why it did not run, and what to do about it."""
    golden_equal: int | None = None
    """How many golden images have exactly the golden answers."""
    golden_difference: int | None = None
    """The largest difference of a stored number from its golden one."""
    images: int = 0
    accuracy: float | None = None
    agreement: float | None = None
    """Share of the test images told as by LiteRT with XNNPACK."""
    float_agreement: float | None = None
    """Share of the test images told as by the Keras model."""
    difference: int | None = None
    """The largest difference of a stored number from that of LiteRT with XNNPACK."""
    milliseconds_per_image: float | None = None
    arena_bytes: int | None = None
    """Memory for activations that TensorFlow Lite Micro used."""


@dataclass(frozen=True)
class Verification:
    """What all runtimes made of a bundle."""

    manifest: Manifest
    results: tuple[Result, ...]
    exact: tuple[str, ...] = (_REFERENCE, _WEB)
    """The runtimes whose golden answers must be equal; others round in other places."""

    @property
    def failures(self) -> list[str]:
        """What is wrong, a line each; empty if all is well."""
        lines = []
        for result in self.results:
            wrong = result.skipped is None and result.golden_equal != self.manifest.golden.count
            if wrong and result.runtime in self.exact:
                lines.append(
                    f"{result.title} gives other answers for "
                    f"{self.manifest.golden.count - result.golden_equal} of "
                    f"{self.manifest.golden.count} golden images."
                )
        return lines


def verify(
    folder: str | os.PathLike,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    runtimes: Sequence[str] | None = None,
) -> Verification:
    """Run a bundle's files on real runtimes and compare what they answer.

    Use it before a model is handed over, and wherever one arrives. Every file is checked against
    its digest first. LiteRT runs the int8 model with three sets of kernels, TensorFlow Lite Micro
    runs the same bytes, LiteRT.js runs the page in a real browser. A runtime that is not installed
    is named with its reason in `Result.skipped`.

    Args:
        folder: of a bundle.
        images: uint8 test images `(count, height, width, channels)`; None for the golden ones only.
        labels: their classes, integers `(count,)`.
        runtimes: names from `kcnn.runtimes.RUNTIMES`; all by default.

    Raises:
        ValueError: there is no bundle, a file of it was changed, a runtime's name is unknown, or
            the images do not fit the model.
        RuntimeError: a runtime refused a file of the bundle.
    """
    folder = Path(folder)
    manifest = read(folder)
    names = list(RUNTIMES if runtimes is None else runtimes)
    for name in names:
        if name not in RUNTIMES:
            raise unknown("runtime", name, RUNTIMES)
    if (images is None) != (labels is None) or (images is not None and len(images) != len(labels)):
        raise ValueError("Test images need one label each.")
    golden, answers = _golden(folder, manifest)
    shown = golden if images is None else np.concatenate([golden, images])
    runs = {name: _run(folder, manifest, name, shown) for name in names}
    first = runs.get(_REFERENCE)
    told = _told_by_source(folder, manifest, images) if images is not None else None
    compared = _Compared(answers, labels, first if isinstance(first, Run) else None, told)
    return Verification(manifest, tuple(compared.result(name, runs[name]) for name in names))


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


def _run(folder: Path, manifest: Manifest, name: str, images: np.ndarray) -> Run | str:
    """Return what a runtime answers, or why it cannot run here."""
    runtime = RUNTIMES[name]
    if reason := runtime.available():
        return reason
    model = inside(folder, _WEB_MODEL if name == _WEB else manifest.model)
    return runtime.run(model.read_bytes(), images)


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
    reference: Run | None
    told_by_source: np.ndarray | None

    def result(self, name: str, run: Run | str) -> Result:
        title = RUNTIMES[name].title
        if isinstance(run, str):
            return Result(name, title, skipped=run)
        count = len(self.golden)
        golden = np.abs(run.levels[:count] - self.golden)
        return Result(
            name,
            title,
            golden_equal=int((golden == 0).all(axis=1).sum()),
            golden_difference=int(golden.max()),
            milliseconds_per_image=run.milliseconds_per_image,
            arena_bytes=run.details.get("arena_bytes"),
            **self._on_test_images(run, count),
        )

    def _on_test_images(self, run: Run, skip: int) -> dict[str, int | float]:
        if self.labels is None or not len(self.labels):
            return {}
        told = run.levels[skip:].argmax(axis=1)
        found = {
            "images": len(told),
            "accuracy": float(np.mean(told == self.labels)),
            "float_agreement": float(np.mean(told == self.told_by_source)),
        }
        if self.reference is None:
            return found
        other = self.reference.levels[skip:]
        return found | {
            "agreement": float(np.mean(told == other.argmax(axis=1))),
            "difference": int(np.abs(run.levels[skip:] - other).max()),
        }
