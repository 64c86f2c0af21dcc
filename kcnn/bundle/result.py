"""The results of a bundle on every runtime, and what is wrong with them."""

import dataclasses
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kcnn.bundle.arithmetic import Arithmetic
from kcnn.bundle.manifest import Manifest
from kcnn.notebook import html_table
from kcnn.provenance import timestamp
from kcnn.run_dir import atomic
from kcnn.runtimes import RUNTIMES, Runtime
from kcnn.runtimes.runtime import ROUNDING
from kcnn.runtimes.times import Times

HEADER = (
    *("runtime", "golden answers", "accuracy", "same class as LiteRT", "same class as Keras"),
    *("largest difference", "p50/p90/p99 ms", "first ms", "peak MB", "arena bytes"),
)
"""The columns of a verification's table."""
LEAST_AGREEMENT = 0.5
"""Share of the test images with the Keras model's class. Honest int8 files have 0.97 and more."""


@dataclass(frozen=True)
class Result:
    """The result of a bundle on one runtime; None for what was not measured.

    Differences are in steps of the stored numbers. LiteRT with XNNPACK made the golden answers.

    Attributes:
        runtime: its name.
        title: what people call it.
        skipped: why it did not run, and what to do about it.
        failed: how it refused the model, or crashed on it.
        golden_equal: how many golden images have exactly the golden answers.
        golden_difference: largest difference from the golden answers.
        photographs_difference: largest difference from the answers to the pixels of the golden
            photographs.
        images: how many test images were classified.
        accuracy: of the test images, between 0 and 1.
        agreement: fraction of the test images for which it predicts the same class as LiteRT with
            XNNPACK.
        float_agreement: fraction of the test images for which it predicts the same class as the
            Keras model in float32.
        difference: largest difference from LiteRT with XNNPACK on the test images.
        held_difference: largest difference, on all images, from the runtime that this one is held
            to; see `kcnn.runtimes.Runtime`.
        milliseconds_per_image: median time of one image.
        arena_bytes: memory for activations that TensorFlow Lite Micro needs.
        times: of the first image, and percentiles of the others.
        peak_memory_bytes: the largest memory of the process that ran the model; see
            `kcnn.runtimes.runtime.Details`.
    """

    runtime: str
    title: str
    skipped: str | None = None
    failed: str | None = None
    golden_equal: int | None = None
    golden_difference: int | None = None
    photographs_difference: int | None = None
    images: int = 0
    accuracy: float | None = None
    agreement: float | None = None
    float_agreement: float | None = None
    difference: int | None = None
    held_difference: int | None = None
    milliseconds_per_image: float | None = None
    arena_bytes: int | None = None
    times: Times | None = None
    peak_memory_bytes: int | None = None

    def row(self, golden: int) -> tuple[str, ...]:
        """Return the cells of `HEADER`, for a bundle of so many golden images."""

        def share(value: float | None) -> str:
            return "" if value is None else f"{value:.2%}"

        if self.golden_equal is None:
            return (self.title, *[""] * (len(HEADER) - 1))
        return (
            self.title,
            f"{self.golden_equal} of {golden}",
            share(self.accuracy),
            share(self.agreement),
            share(self.float_agreement),
            str(max(self.golden_difference or 0, self.difference or 0)),
            *self._times(),
            f"{self.peak_memory_bytes / 1e6:.1f}" if self.peak_memory_bytes else "",
            f"{self.arena_bytes:,}" if self.arena_bytes else "",
        )

    def _times(self) -> tuple[str, str]:
        if self.times is None:  # of a runtime that measures the median alone
            return f"{self.milliseconds_per_image:.3f}", ""
        parts = (self.times.p50, self.times.p90, self.times.p99)
        return "/".join(f"{each:.3f}" for each in parts), f"{self.times.first:.3f}"


@dataclass(frozen=True)
class Verification:
    """The results of a bundle on all runtimes.

    Attributes:
        manifest: of the bundle.
        results: one for each runtime, in their order.
        required: names of the runtimes that must run: if one of them cannot, that is a failure.
        runtimes: the runtimes by their names.
        extra_files: what lies in the bundle's folder without a digest in its manifest: files,
            links, folders.
        arithmetic: how its README, snippets and page read the outputs.
        pixels: by how many levels the pixels of the golden photographs differ, by the name of what
            scaled them; empty for a bundle without photographs.
    """

    manifest: Manifest
    results: tuple[Result, ...]
    required: tuple[str, ...] = ()
    runtimes: Mapping[str, Runtime] = dataclasses.field(default_factory=lambda: RUNTIMES)
    extra_files: tuple[str, ...] = ()
    arithmetic: Arithmetic | None = None
    pixels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What is wrong, one line each; empty if nothing is.

        LiteRT with XNNPACK and LiteRT.js must return exactly the golden answers. On another kind of
        processor than that of the golden answers, they may round differently.
        """
        lines = [line for result in self.results for line in self._complaints(result)]
        if all(result.skipped is not None for result in self.results):
            lines.append("No runtime ran the bundle.")
        if self.arithmetic is not None:
            lines += self.arithmetic.complaints
        pictures = self.manifest.golden.photographs
        for name, difference in self.pixels.items():
            if pictures is not None and difference > pictures.tolerance:
                lines.append(
                    f"The golden photographs, scaled by {name}, differ by {difference} levels from "
                    f"the golden pixels; {pictures.tolerance} are allowed."
                )
        return lines

    def _repr_html_(self) -> str:
        golden = self.manifest.golden.count
        rows = [each.row(golden) for each in self.results if each.golden_equal is not None]
        skipped = [f"skipped {each.title}: {each.skipped}" for each in self.results if each.skipped]
        note = " ".join([*self.failures, *skipped])
        return html_table(HEADER, rows, title=f"{self.manifest.name}: verified", note=note)

    def save(self, path: str | os.PathLike, *, data: str | None = None) -> None:
        """Write the results on this machine as JSON, whole or not at all.

        Args:
            path: the file.
            data: the data set of the test images.
        """
        receipt = {
            "bundle": self.manifest.name,
            "model_sha256": self.manifest.sha256.get(self.manifest.model),
            "data": data,
            "created": timestamp(),
            "machine": platform.machine(),
            "versions": self.manifest.versions,
            "failures": self.failures,
            "extra_files": self.extra_files,
            "arithmetic": self.arithmetic and dataclasses.asdict(self.arithmetic),
            "pixels": self.pixels,
            "results": [dataclasses.asdict(result) for result in self.results],
        }
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(receipt, indent=2) + "\n")

    def _complaints(self, result: Result) -> Iterator[str]:
        if result.failed is not None:
            yield f"{result.title} failed: {result.failed}"
        elif result.skipped is not None:
            if result.runtime in self.required:
                yield f"{result.title} did not run: {result.skipped}"
        else:
            runtime = self.runtimes[result.runtime]
            yield from self._float_complaints(result)
            yield from self._golden_complaints(runtime, result)
            yield from self._held_complaints(runtime, result)

    def _float_complaints(self, result: Result) -> Iterator[str]:
        """Yield that a runtime predicts other classes than the model that the file was made of."""
        agreement = result.float_agreement
        several = self.manifest.threshold is not None and self.manifest.output.shape[1] > 1
        # Of several classes an image, one that departs counts as if all did.
        if agreement is not None and agreement < LEAST_AGREEMENT and not several:
            yield (
                f"{result.title} predicts the Keras model's class for {agreement:.0%} of "
                f"{result.images} images; {LEAST_AGREEMENT:.0%} is the least. kcnn inspect "
                f"{self.manifest.model} --against {self.manifest.source} shows the layers that "
                "depart."
            )

    def _golden_complaints(self, runtime: Runtime, result: Result) -> Iterator[str]:
        """Yield how a runtime that must return the golden answers departs from them."""
        equal, difference = result.golden_equal, result.golden_difference
        if not runtime.golden or equal is None or difference is None:
            return
        count, machine = self.manifest.golden.count, self.manifest.machine
        if equal < count and machine == platform.machine():
            yield (
                f"{result.title} returns other answers for {count - equal} of {count} golden "
                "images."
            )
        elif result.photographs_difference and machine == platform.machine():
            yield (
                f"{result.title} returns other answers for the golden photographs, by up to "
                f"{result.photographs_difference} steps."
            )
        elif difference > ROUNDING:
            yield (
                f"{result.title} differs by {difference} steps from the golden answers; up to "
                f"{ROUNDING} may be the rounding of another processor than {machine}."
            )

    def _held_complaints(self, runtime: Runtime, result: Result) -> Iterator[str]:
        """Yield how a runtime departs from the one that it is held to."""
        if runtime.held_to is None:
            return
        other = self.runtimes[runtime.held_to].title
        if result.held_difference is None:
            yield f"{result.title} cannot be compared with {other}, which failed."
        elif result.held_difference > runtime.tolerance:
            yield (
                f"{result.title} differs by up to {result.held_difference} steps from {other}; "
                f"{runtime.tolerance} are allowed."
            )
