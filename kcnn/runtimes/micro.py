"""TFLite Micro, as microcontrollers have it, in a Python environment of its own."""

import numpy as np

from kcnn.runtimes.installation import micro_python, missing_micro
from kcnn.runtimes.process import classify
from kcnn.runtimes.runtime import TIMEOUT, Run, prepare

_TITLE = "TFLite Micro"


def run(model: bytes, images: np.ndarray | None, *, timeout: float = TIMEOUT) -> Run:
    """Classify images, or one of noise, in TFLite Micro; see `Runtime.run`.

    `details["arena_bytes"]` is the memory that the model needs besides its own bytes: the
    `kTensorArenaSize` of an app.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        RuntimeError: TFLite Micro is not installed, refuses the file, crashes on it or takes too
            long.
    """
    task = prepare(model, images)
    if reason := available():
        raise RuntimeError(reason)
    job = {"runtime": "micro", "package": "tflite-micro"}
    return classify(micro_python(), _TITLE, job, task, timeout=timeout)


def arena_bytes(model: bytes) -> int:
    """Return the memory that a model needs besides its own bytes, whatever the image.

    Raises:
        ValueError, RuntimeError: as `run`.
    """
    return run(model, None).details["arena_bytes"]


def available() -> str | None:
    """Return why TFLite Micro cannot run here and what to do about it, None if it can."""
    return missing_micro()
