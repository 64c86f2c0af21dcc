"""Verify a bundle on every runtime, with its golden answers and with a test set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kcnn.bundle.extra_files import extra_files
from kcnn.bundle.manifest import WEB_MODEL, Manifest, inside, read
from kcnn.bundle.result import Result, Verification
from kcnn.errors import one_line
from kcnn.evaluation import predictor
from kcnn.litert import summarize
from kcnn.litert.loaded import check_classifier
from kcnn.progress import Progress
from kcnn.runtimes import RUNTIMES, Run, Runtime, find_runtime
from kcnn.runtimes.runtime import TIMEOUT, NotForThisModel

_XNNPACK = "litert"  # the runtime that all others are compared with on the test images
_BATCH = 256


def verify(
    folder: str | os.PathLike,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    runtimes: Sequence[str | Runtime] | None = None,
    timeout: float = TIMEOUT,
) -> Verification:
    """Run a bundle's files on real runtimes and compare their outputs.

    Use it before you hand a model over, and where you receive one. Every file is first checked
    against its SHA-256, and files that the manifest does not know are named. LiteRT runs the int8
    model with three sets of kernels, TensorFlow Lite Micro runs the same file, LiteRT.js runs the
    model of the page in a real browser. For a runtime that is not installed, `Result.skipped` says
    why; for one that refuses the model, `Result.failed`.

    Args:
        folder: of a bundle.
        images: uint8 test images `(count, height, width, channels)`; None for the golden ones only.
        labels: their classes, integers `(count,)`.
        runtimes: names from `kcnn.runtimes.RUNTIMES`, `Runtime` objects of your own, or
            "module:name" of them; all of kcnn's by default.
        timeout: seconds after which a runtime is ended, each.

    Returns:
        A result for each runtime, what is wrong in `failures`, and what nobody has checked in
        `extra_files`.

    Raises:
        ValueError: there is no bundle, one of its files has changed, a runtime is unknown, or the
            images do not fit the model.
    """
    folder = Path(folder)
    manifest = read(folder)
    chosen = [find_runtime(each) for each in (RUNTIMES if runtimes is None else runtimes)]
    if (images is None) != (labels is None) or (
        images is not None and labels is not None and len(images) != len(labels)
    ):
        raise ValueError("Test images need one label each.")
    _check_model(folder, manifest)
    golden, answers = _golden(folder, manifest)
    shown = golden if images is None else np.concatenate([golden, images])
    needed = [find_runtime(each.held_to) for each in chosen if each.held_to is not None]
    known = {each.name: each for each in (*needed, *chosen)}
    progress, runs = Progress("running the bundle", len(known)), {}
    for name, each in known.items():
        runs[name] = _run(folder, manifest, each, shown, timeout)
        progress.add()
    by_source = None if images is None else _predicted_by_source(folder, manifest, images)
    compared = _Compared(answers, labels, runs, by_source)
    return Verification(
        manifest,
        tuple(compared.result(runtime) for runtime in chosen),
        required=tuple(each.name for each in chosen) if runtimes else (),
        runtimes=known,
        extra_files=extra_files(folder, manifest),
    )


def _check_model(folder: Path, manifest: Manifest) -> None:
    """Check that the model is what the manifest says."""
    summary = summarize(inside(folder, manifest.model))
    check_classifier(summary)
    found = (*summary.inputs, *summary.outputs)
    if {tensor.dtype for tensor in found} not in ({"int8"}, {"uint8"}) or len(found) != 2:
        raise ValueError(f"{str(summary.path)!r} does not take and return int8 or uint8.")
    if (*found, summary.labels) != (manifest.input, manifest.output, manifest.labels):
        raise ValueError(
            f"The manifest of {str(folder)!r} does not fit its model: it names {manifest.input} "
            f"and {manifest.output}, the model has {found[0]} and {found[1]}."
        )


def _golden(folder: Path, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    """Return the golden images, and the golden answers without their zero point."""
    golden = manifest.golden
    shape = (golden.count, *manifest.input.shape[1:])
    pixels = np.fromfile(inside(folder, golden.images), np.uint8)
    outputs = np.fromfile(inside(folder, golden.outputs), manifest.output.dtype)
    classes, zero_point = manifest.output.shape[1], manifest.output.zero_point
    if pixels.size != np.prod(shape) or outputs.size != golden.count * classes:
        raise ValueError(f"The golden vectors of {str(folder)!r} are not {golden.count} images.")
    if zero_point is None:
        raise ValueError(f"The output of the model in {str(folder)!r} has no zero point.")
    levels = outputs.reshape(golden.count, classes).astype(np.int32) - zero_point
    return pixels.reshape(shape), levels


def _run(
    folder: Path, manifest: Manifest, runtime: Runtime, images: np.ndarray, timeout: float
) -> Run | Result:
    """Return the outputs of a runtime, or a result that says why there are none."""
    if reason := runtime.available():
        return Result(runtime.name, runtime.title, skipped=reason)
    model = inside(folder, {"int8": manifest.model, "uint8": WEB_MODEL}[runtime.io])
    summarize(model)  # which names the file if it is damaged
    try:
        return runtime.run(model.read_bytes(), images, timeout=timeout)
    except NotForThisModel as error:
        return Result(runtime.name, runtime.title, skipped=one_line(error))
    except RuntimeError as error:
        return Result(runtime.name, runtime.title, failed=one_line(error))


def _predicted_by_source(folder: Path, manifest: Manifest, images: np.ndarray) -> np.ndarray:
    """Return the class that the float32 Keras model predicts for each image."""
    predict = predictor(inside(folder, manifest.source))
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    return np.concatenate([np.argmax(predict(part), axis=-1) for part in parts])


@dataclass(frozen=True)
class _Compared:
    """Everything that the outputs of a runtime are compared with."""

    golden: np.ndarray
    labels: np.ndarray | None
    runs: Mapping[str, Run | Result]
    by_source: np.ndarray | None

    def result(self, runtime: Runtime) -> Result:
        """Return the result of one runtime."""
        run = self.runs[runtime.name]
        if isinstance(run, Result):
            return run
        count = len(self.golden)
        golden = np.abs(run.levels[:count] - self.golden)
        held_to = runtime.held_to
        result = Result(
            runtime.name,
            runtime.title,
            golden_equal=int((golden == 0).all(axis=1).sum()),
            golden_difference=int(golden.max()),
            held_difference=None if held_to is None else self._difference(run, held_to),
            milliseconds_per_image=run.milliseconds_per_image,
            arena_bytes=run.details.arena_bytes,
        )
        return self._with_test_images(result, run, count)

    def _difference(self, run: Run, other: str, skip: int = 0) -> int | None:
        """Return the largest difference from another runtime, None if that one did not run."""
        theirs = self.runs.get(other)
        if not isinstance(theirs, Run):
            return None
        return int(np.abs(run.levels[skip:] - theirs.levels[skip:]).max())

    def _with_test_images(self, result: Result, run: Run, skip: int) -> Result:
        if self.labels is None or not len(self.labels):
            return result
        predicted = run.levels[skip:].argmax(axis=1)
        reference = self.runs.get(_XNNPACK)
        agreement = None
        if isinstance(reference, Run):
            agreement = float(np.mean(predicted == reference.levels[skip:].argmax(axis=1)))
        return replace(
            result,
            images=len(predicted),
            accuracy=float(np.mean(predicted == self.labels)),
            float_agreement=float(np.mean(predicted == self.by_source)),
            difference=self._difference(run, _XNNPACK, skip),
            agreement=agreement,
        )
