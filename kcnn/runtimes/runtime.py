"""What every runtime has in common: what it gets, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from kcnn.litert.loaded import check_classifier, look_up, stored_pixels
from kcnn.litert.tflite_file import TensorSummary, summarize_bytes
from kcnn.litert.trial import try_model
from kcnn.runtimes.times import Times

TIMEOUT = 900.0
"""Default limit in seconds for one run; a runtime that takes longer is ended."""

ROUNDING = 16
"""Steps of the stored numbers by which runtimes that round in other places may differ. The largest
difference seen is 11, behind a softmax."""


class NotForThisModel(RuntimeError):
    """A runtime lacks an operator that the model has: a limit of the runtime, no failure."""


@dataclass(frozen=True)
class Details:
    """What a runtime reports besides its outputs; None for what it cannot report.

    Attributes:
        version: of the runtime.
        browser: the browser's user agent.
        arena_bytes: memory for activations that TensorFlow Lite Micro needs.
        times: of the first image, and the percentiles of the later ones.
        peak_memory_bytes: the largest memory of the process that ran the model, when it had
            classified its first images. It includes the code of the runtime and, but for plain C,
            of Python.
    """

    version: str | None = None
    browser: str | None = None
    arena_bytes: int | None = None
    times: Times | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class Run:
    """What a runtime returned for images.

    Attributes:
        outputs: the stored numbers as the runtime returned them, `(images, classes)`, in the dtype
            of the file's output.
        scale: a real output is `scale * (stored - zero_point)`; None if the outputs are floats.
        zero_point: see `scale`.
        milliseconds_per_image: the median of all images, each classified on its own.
        details: what else the runtime reported.

    >>> run = Run(np.array([[-30, 104]], np.int8), 0.5, -42, 0.1, Details(version="2.3.0"))
    >>> run.levels
    array([[ 12, 146]], dtype=int32)
    >>> run.logits
    array([[ 6., 73.]], dtype=float32)
    """

    outputs: np.ndarray
    scale: float | None
    zero_point: int | None
    milliseconds_per_image: float
    details: Details = field(default_factory=Details)

    @property
    def levels(self) -> np.ndarray:
        """The outputs without their zero point, int32: the same for an int8 and a uint8 file.

        Raises:
            ValueError: the outputs are floats.
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


class Classify(Protocol):
    """The function of a runtime that classifies images."""

    def __call__(self, model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
        """Classify images, one after the other.

        Args:
            model: the bytes of a `.tflite` file.
            images: uint8, raw pixels `(count, height, width, channels)`.
            timeout: seconds after which the runtime is ended.

        Raises:
            ValueError: the file is damaged, or it is no classifier of these images.
            NotForThisModel: the runtime is known to lack an operator of the model.
            RuntimeError: the runtime refuses the file, crashes on it or takes longer than
                `timeout` seconds.
        """
        ...


@dataclass(frozen=True)
class Runtime:
    """One way to run a `.tflite` classifier; `kcnn.bundle.verify` takes your own too.

    The function `run` of your own may use `prepare`, which checks a model and its images.

    Attributes:
        name: by which users choose it.
        title: what people call it.
        run: classifies images; see `Classify`.
        available: returns None if the runtime can run here, otherwise one line that says why not
            and what to do about it.
        io: which file of a bundle it runs: `"int8"`, `model_int8.tflite`, which takes
            `pixel - 128`; `"uint8"`, `web/model.tflite`, which takes raw pixels.
        golden: it must return the golden outputs exactly, on the kind of processor they come from.
        held_to: the name of the runtime whose outputs its own are compared with; None for none.
        tolerance: largest difference from `held_to`, in steps of the stored numbers.
    """

    name: str
    title: str
    run: Classify
    available: Callable[[], str | None]
    io: Literal["int8", "uint8"] = "int8"
    golden: bool = False
    held_to: str | None = None
    tolerance: int = 0


@dataclass(frozen=True)
class Task:
    """A verified model and images for it.

    Attributes:
        model: the bytes of the file.
        pixels: the images as the model's input stores them.
        source: the model's input.
        target: the model's output.
    """

    model: bytes
    pixels: np.ndarray
    source: TensorSummary
    target: TensorSummary

    def answer(self, outputs: np.ndarray, milliseconds: float, details: Mapping[str, Any]) -> Run:
        """Return the outputs of a runtime as a `Run`.

        Args:
            outputs: the stored numbers, `(images, classes)`.
            milliseconds: median time of one image.
            details: fields of `Details`.

        Raises:
            RuntimeError: their shape or dtype differs from that of the file's output.
        """
        expected = (len(self.pixels), self.target.shape[1])
        if outputs.shape != expected or outputs.dtype != self.target.dtype:
            raise RuntimeError(
                f"Expected {self.target.dtype} outputs of shape {expected}. Received: "
                f"{outputs.dtype}, shape {outputs.shape}."
            )
        scale, zero_point = self.target.scale, self.target.zero_point
        return Run(outputs, scale, zero_point, milliseconds, Details(**details))


def prepare(model: bytes, images: np.ndarray | None = None) -> Task:
    """Check that a model classifies these images, and store them as its input does.

    Args:
        model: the bytes of a `.tflite` file.
        images: uint8, raw pixels `(count, height, width, channels)`; one image of noise by default.

    Raises:
        ValueError: the model is damaged or no classifier, or it takes other images.
    """
    name = Path("model.tflite")
    model = bytes(model)
    try_model(model, name)
    summary = summarize_bytes(model, name)
    check_classifier(summary)
    source, target = summary.inputs[0], summary.outputs[0]
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
    return Task(model, look_up(stored_pixels(name, source), images), source, target)
