"""MediaPipe's image classifier, as apps on Android, iOS and the web call it."""

import numpy as np

from kcnn.runtimes.installation import mediapipe_python, missing_mediapipe
from kcnn.runtimes.process import classify
from kcnn.runtimes.runtime import TIMEOUT, NotForThisModel, Run, prepare

_TITLE = "MediaPipe"


def run(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
    """Classify images in MediaPipe's image classifier; see `Classify`.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        NotForThisModel: the model takes int8 or other images than RGB, which MediaPipe does not.
        RuntimeError: MediaPipe is not installed, refuses the file, crashes on it or takes too long.
    """
    task = prepare(model, images)
    source, target = task.source, task.target
    if source.dtype == "int8" or source.shape[-1] != 3:
        raise NotForThisModel(
            f"{_TITLE} takes uint8 or float32 RGB images. Received: a model of {source.dtype} "
            f"images with {source.shape[-1]} channels."
        )
    if reason := available():
        raise RuntimeError(reason)
    job = {
        "runtime": "mediapipe",
        "package": "mediapipe",
        "classes": target.shape[1],
        "dtype": target.dtype,
        "scale": target.scale or 1.0,
        "zero_point": target.zero_point or 0,
    }
    return classify(mediapipe_python(), _TITLE, job, task, timeout=timeout)


def available() -> str | None:
    """Return None if MediaPipe can run here, otherwise why not and what to do about it."""
    return missing_mediapipe()
