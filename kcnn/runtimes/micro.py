"""TFLite Micro, the runtime of microcontrollers, in a Python environment of its own."""

import re

import numpy as np

from kcnn.litert import read_requirements
from kcnn.runtimes.installation import micro_python, missing_micro
from kcnn.runtimes.process import classify
from kcnn.runtimes.runtime import TIMEOUT, Run, prepare

_TITLE = "TFLite Micro"
_REFUSED = re.compile(r"Node (\w+) \(number \d+\) failed|from op code (\w+)")


def run(model: bytes, images: np.ndarray | None, *, timeout: float = TIMEOUT) -> Run:
    """Classify images, or one image of noise, in TFLite Micro; see `Classify`.

    `details.arena_bytes` is the memory that the model needs besides its own bytes: the
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
    try:
        return classify(micro_python(), _TITLE, job, task, timeout=timeout)
    except RuntimeError as error:
        logged = ("".join(names) for names in _REFUSED.findall(str(error)))
        named = read_requirements(bytes(model)).micro_lacks or tuple(logged)
        if not named:
            raise
        remedy = "replace the layers that need it"
        if any("float16" in each or "float32 with" in each for each in named):
            remedy = "export the model as int8"
        raise RuntimeError(
            f"{_TITLE} does not run {', '.join(named)}: {remedy} if the model is for a "
            f"microcontroller. ({error})"
        ) from error


def arena_bytes(model: bytes) -> int:
    """Return the bytes of memory that a model needs besides its own, the same for every image.

    Raises:
        ValueError: as `run`.
        RuntimeError: as `run`.
    """
    needed = run(model, None).details.arena_bytes
    if needed is None:
        raise RuntimeError(f"{_TITLE} does not report the memory that the model needs.")
    return needed


def available() -> str | None:
    """Return None if TFLite Micro can run here, otherwise why not and what to do about it."""
    return missing_micro()
