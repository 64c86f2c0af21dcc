"""What every runtime made of a bundle, and what of it is wrong."""

import dataclasses
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from kcnn.bundle.manifest import Manifest
from kcnn.provenance import timestamp
from kcnn.run_dir import atomic
from kcnn.runtimes import RUNTIMES

XNNPACK, WEB, MICRO, REFERENCE = "litert", "litert-js", "tflite-micro", "litert-reference"
EXACT = (XNNPACK, WEB)
"""The runtimes that must give the golden answers; others round in other places."""

# By which other runtime one is held, and how many steps of the stored numbers may lie between them:
# LiteRT.js is the same XNNPACK, bit for bit; TFLite Micro rounds as LiteRT's reference kernels, but
# for up to 11 steps that were seen behind a softmax.
ROUNDING = 16
HELD = {WEB: (XNNPACK, 0), MICRO: (REFERENCE, ROUNDING)}


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
    failed: str | None = None
    """How it refused the model, or crashed on it."""
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
    held_difference: int | None = None
    """The same from the runtime that this one must equal but for rounding, on all images: for
    TFLite Micro LiteRT's reference kernels, for LiteRT.js those of XNNPACK."""
    milliseconds_per_image: float | None = None
    arena_bytes: int | None = None
    """Memory for activations that TensorFlow Lite Micro used."""


@dataclass(frozen=True)
class Verification:
    """What all runtimes made of a bundle."""

    manifest: Manifest
    results: tuple[Result, ...]
    asked: tuple[str, ...] = ()
    """The runtimes that were asked for by name: that one is not there is a failure then."""

    @property
    def failures(self) -> list[str]:
        """What is wrong, a line each; empty if all is well.

        Golden answers must be equal in LiteRT with XNNPACK and in LiteRT.js, but on another kind
        of processor than theirs, which may round in other places.
        """
        lines = [line for result in self.results for line in self._complaints(result)]
        if all(result.skipped is not None for result in self.results):
            lines.append("No runtime ran the bundle.")
        return lines

    def save(self, path: str | os.PathLike, *, data: str | None = None) -> None:
        """Write what was found as JSON: the receipt of a bundle, of one machine.

        `data` says of which data set the test images were.
        """
        receipt = {
            "bundle": self.manifest.name,
            "model_sha256": self.manifest.sha256.get(self.manifest.model),
            "data": data,
            "created": timestamp(),
            "machine": platform.machine(),
            "versions": self.manifest.versions,
            "failures": self.failures,
            "results": [dataclasses.asdict(result) for result in self.results],
        }
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(receipt, indent=2) + "\n")

    def _complaints(self, result: Result) -> Iterator[str]:
        title, golden = result.title, self.manifest.golden
        if result.failed is not None:
            yield f"{title} failed: {result.failed}"
            return
        if result.skipped is not None:
            if result.runtime in self.asked:
                yield f"{title} did not run: {result.skipped}"
            return
        if result.runtime in EXACT:
            wrong, machine = golden.count - result.golden_equal, self.manifest.machine
            if wrong and machine == platform.machine():
                yield f"{title} gives other answers for {wrong} of {golden.count} golden images."
            elif result.golden_difference > ROUNDING:
                yield (
                    f"{title} is {result.golden_difference} steps from the golden answers; "
                    f"{ROUNDING} are rounding on another processor than {machine}."
                )
        yield from self._departure(result)

    def _departure(self, result: Result) -> Iterator[str]:
        """Yield what is wrong between a runtime and the one that it must equal."""
        if result.runtime not in HELD:
            return
        other, furthest = HELD[result.runtime]
        if result.held_difference is None:
            yield f"{result.title} cannot be held against {RUNTIMES[other].title}, which failed."
        elif result.held_difference > furthest:
            yield (
                f"{result.title} is up to {result.held_difference} steps from "
                f"{RUNTIMES[other].title}, where {furthest} are right."
            )
