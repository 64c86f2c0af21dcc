"""Verify a bundle on every runtime, with its golden answers and with a test set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kcnn.bundle.arithmetic import check_arithmetic
from kcnn.bundle.extra_files import extra_files
from kcnn.bundle.golden import GoldenVectors, read_golden
from kcnn.bundle.manifest import WEB_MODEL, Manifest, inside, read
from kcnn.bundle.reading import decided, predicts_several, threshold_of
from kcnn.bundle.result import Result, Verification
from kcnn.bundle.shrunk import pixel_differences
from kcnn.errors import one_line
from kcnn.litert import summarize
from kcnn.litert.loaded import check_classifier
from kcnn.prediction.classes import open_classifier
from kcnn.progress import Progress
from kcnn.runtimes import RUNTIMES, Run, Runtime, find_runtime
from kcnn.runtimes.runtime import TIMEOUT, NotForThisModel

_XNNPACK = "litert"  # the runtime that all others are compared with on the test images
_PAGE = "litert-js"  # the runtime that is driven by the bundle's page


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

    The formulas in the README and the snippets are applied to the golden answers, and the
    probabilities compared with those of the file and of the Keras model. The golden photographs are
    scaled by kcnn and, where LiteRT.js runs, by the code of the page.

    Args:
        folder: of a bundle.
        images: uint8 test images `(count, height, width, channels)`; None for the golden ones only.
        labels: their classes, integers `(count,)`; for a model that predicts several classes at
            once, 0 and 1 `(count, classes)`. An image is then right if all its classes are.
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
    _check_labels(manifest, labels)
    golden = read_golden(folder, manifest)
    parts = [golden.images, golden.pixels, *([] if images is None else [images])]
    needed = [find_runtime(each.held_to) for each in chosen if each.held_to is not None]
    known = {each.name: each for each in (*needed, *chosen)}
    runs = _run_all(folder, manifest, known, np.concatenate(parts), timeout)
    source = open_classifier(inside(folder, manifest.source)).probabilities
    by_source = None
    if images is not None:
        outputs = manifest.output.shape[1]
        by_source = decided(source(images), manifest.threshold, outputs)
    compared = _Compared(manifest, golden, labels, runs, by_source)
    browser = isinstance(runs.get(_PAGE), Run)
    return Verification(
        manifest,
        tuple(compared.result(runtime) for runtime in chosen),
        required=tuple(each.name for each in chosen) if runtimes else (),
        runtimes=known,
        extra_files=extra_files(folder, manifest),
        arithmetic=check_arithmetic(folder, manifest, golden.levels, source(golden.images)),
        pixels=pixel_differences(folder, manifest, golden.pixels, browser=browser),
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
    needed = threshold_of(summary.path.read_bytes(), manifest.output.shape[1], None)
    if (needed is None) != (manifest.threshold is None):
        raise ValueError(
            f"The manifest of {str(folder)!r} does not fit its model, which "
            f"{'has no use for' if needed is None else 'needs'} a threshold."
        )


def _run_all(
    folder: Path,
    manifest: Manifest,
    known: Mapping[str, Runtime],
    images: np.ndarray,
    timeout: float,
) -> dict[str, Run | Result]:
    progress, runs = Progress("running the bundle", len(known)), {}
    for name, each in known.items():
        runs[name] = _run(folder, manifest, each, images, timeout)
        progress.add()
    return runs


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


def _check_labels(manifest: Manifest, labels: np.ndarray | None) -> None:
    if labels is None:
        return
    classes = manifest.output.shape[1]
    several = predicts_several(manifest.threshold, classes)
    wanted = (len(labels), classes) if several else (len(labels),)
    if np.shape(labels) != wanted:
        kind = "several classes at once: its labels are 0 and 1" if several else "one class"
        raise ValueError(
            f"{manifest.name!r} predicts {kind}, shape {wanted}. Received: labels of shape "
            f"{np.shape(labels)}."
        )


@dataclass(frozen=True)
class _Compared:
    """Everything that the outputs of a runtime are compared with."""

    manifest: Manifest
    golden: GoldenVectors
    labels: np.ndarray | None
    runs: Mapping[str, Run | Result]
    by_source: np.ndarray | None

    def result(self, runtime: Runtime) -> Result:
        """Return the result of one runtime."""
        run = self.runs[runtime.name]
        if isinstance(run, Result):
            return run
        count, last = len(self.golden.images), len(self.golden.images) + len(self.golden.pixels)
        golden = np.abs(run.levels[:count] - self.golden.levels)
        pictures = np.abs(run.levels[count:last] - self.golden.pixel_levels)
        held_to = runtime.held_to
        result = Result(
            runtime.name,
            runtime.title,
            golden_equal=int((golden == 0).all(axis=1).sum()),
            golden_difference=int(golden.max()),
            photographs_difference=int(pictures.max()) if len(pictures) else None,
            held_difference=None if held_to is None else self._difference(run, held_to),
            milliseconds_per_image=run.milliseconds_per_image,
            arena_bytes=run.details.arena_bytes,
            times=run.details.times,
            peak_memory_bytes=run.details.peak_memory_bytes,
        )
        return self._with_test_images(result, run, last)

    def _difference(self, run: Run, other: str, skip: int = 0) -> int | None:
        """Return the largest difference from another runtime, None if that one did not run."""
        theirs = self.runs.get(other)
        if not isinstance(theirs, Run):
            return None
        return int(np.abs(run.levels[skip:] - theirs.levels[skip:]).max())

    def _with_test_images(self, result: Result, run: Run, skip: int) -> Result:
        if self.labels is None or not len(self.labels):
            return result
        read = self.manifest.reading.predicted
        predicted = read(run.levels[skip:])
        reference = self.runs.get(_XNNPACK)
        agreement = None
        if isinstance(reference, Run):
            agreement = _share_of_equal(predicted, read(reference.levels[skip:]))
        return replace(
            result,
            images=len(predicted),
            accuracy=_share_of_equal(predicted, self.labels),
            float_agreement=_share_of_equal(predicted, self.by_source),
            difference=self._difference(run, _XNNPACK, skip),
            agreement=agreement,
        )


def _share_of_equal(predicted: np.ndarray, other: np.ndarray | None) -> float:
    """Return the share of images with the same class, or with the same classes."""
    equal = predicted == other
    return float(np.mean(equal if equal.ndim == 1 else equal.all(axis=1)))
