"""What a runtime is asked and what it answers, the same for all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.litert.classifier import check_classifier, stored_pixels
from kcnn.litert.tflite_file import TensorSummary, damaged, summarize_bytes

TIMEOUT = 900.0
"""Seconds after which a run is ended, unless it is given others."""


@dataclass(frozen=True)
class Run:
    """What a runtime answered.

    Attributes:
        outputs: the stored numbers as the runtime gave them, `(images, classes)`, in the dtype of
            the file's output.
        scale: a real output is `scale * (stored - zero_point)`; None if the file gives floats.
        zero_point: see `scale`.
        milliseconds_per_image: the median of all images, each classified on its own.
        details: what else this runtime told: `arena_bytes`, `version`, `browser`.

    >>> run = Run(np.array([[-30, 104]], np.int8), 0.5, -42, 0.1, {"version": "2.3.0"})
    >>> run.levels
    array([[ 12, 146]], dtype=int32)
    >>> run.logits
    array([[ 6., 73.]], dtype=float32)
    """

    outputs: np.ndarray
    scale: float | None
    zero_point: int | None
    milliseconds_per_image: float
    details: Mapping[str, int | str]

    @property
    def levels(self) -> np.ndarray:
        """The outputs without their zero point, int32: equal for int8 and uint8 forms of a file.

        Raises:
            ValueError: the file gives floats.
        """
        if self.zero_point is None:
            raise ValueError(f"The outputs are {self.outputs.dtype}, not levels of integers.")
        return self.outputs.astype(np.int32) - self.zero_point

    @property
    def logits(self) -> np.ndarray:
        """The real outputs, float32."""
        if self.scale is None:
            return self.outputs.astype(np.float32)
        return self.levels.astype(np.float32) * np.float32(self.scale)


@dataclass(frozen=True)
class Runtime:
    """One way to run a `.tflite` classifier.

    Attributes:
        name: by which it is chosen.
        title: what people call it.
        run: `run(model, images, *, timeout=900.0)` classifies uint8 images of raw pixels
            `(count, height, width, channels)`, one after the other, by the bytes of a file. It
            raises ValueError for a file or images that cannot go together, and RuntimeError if
            the runtime refuses the file, crashes on it or takes longer than `timeout` seconds.
        available: why it cannot run here and what to do about it, None if it can.
    """

    name: str
    title: str
    run: Callable[..., Run]
    available: Callable[[], str | None]


@dataclass(frozen=True)
class Task:
    """A verified model, and images as its input stores them."""

    model: bytes
    pixels: np.ndarray
    source: TensorSummary
    target: TensorSummary

    def answer(
        self, outputs: np.ndarray, milliseconds: float, details: Mapping[str, int | str]
    ) -> Run:
        """Return what a runtime gave as a `Run`.

        Raises:
            RuntimeError: it gave something else than the file promises.
        """
        expected = (len(self.pixels), self.target.shape[1])
        if outputs.shape != expected or outputs.dtype != self.target.dtype:
            raise RuntimeError(
                f"Expected {self.target.dtype} outputs of shape {expected}. Received: "
                f"{outputs.dtype}, shape {outputs.shape}."
            )
        scale, zero_point = self.target.scale, self.target.zero_point
        return Run(outputs, scale, zero_point, milliseconds, details)


def prepare(model: bytes, images: np.ndarray | None = None) -> Task:
    """Check that a model is a classifier and takes these images, and store them as it needs them.

    Without images it gets one of noise.

    Raises:
        ValueError: it is damaged or something else, or it takes other images.
    """
    name = Path("model.tflite")
    summary = summarize_bytes(bytes(model), name)
    check_classifier(summary)
    source, target = summary.inputs[0], summary.outputs[0]
    if target.scale is not None and not 0 < target.scale < np.inf:  # as for NaN
        raise damaged(name, ValueError(f"an output of scale {target.scale}"))
    if images is None:
        images = np.random.default_rng(0).integers(0, 256, (1, *source.shape[1:]), np.uint8)
    images = np.asarray(images)
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[1:] != source.shape[1:]
        or not len(images)
    ):
        raise ValueError(
            "The model takes uint8 images of raw pixels 0-255, shape (at least 1, "
            f"{', '.join(map(str, source.shape[1:]))}). Received: {images.dtype}, "
            f"shape {images.shape}."
        )
    return Task(bytes(model), stored_pixels(name, source)[images], source, target)
