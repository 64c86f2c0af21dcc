"""LiteRT, the runtime of phones, with each of its three sets of kernels, which round differently.

LiteRT uses XNNPACK by default. The optimized kernels are older, and run what XNNPACK lacks. The
reference kernels define what an operator computes: other runtimes are compared with them.
"""

import sys
from pathlib import Path

import numpy as np

from kcnn.checks import check_count
from kcnn.errors import unknown
from kcnn.runtimes.process import classify
from kcnn.runtimes.runtime import TIMEOUT, Run, prepare

KERNELS = {
    "xnnpack": "AUTO",
    "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
"""Names of the sets of kernels in LiteRT's `OpResolverType`."""


def run(
    model: bytes,
    images: np.ndarray,
    *,
    kernels: str = "xnnpack",
    threads: int = 1,
    timeout: float = TIMEOUT,
) -> Run:
    """Classify images in LiteRT; see `Classify`.

    Args:
        model: the bytes of a `.tflite` file.
        images: uint8, raw pixels `(count, height, width, channels)`.
        kernels: `"xnnpack"`, `"optimized"` or `"reference"`.
        threads: how many share the work on one image.
        timeout: seconds after which LiteRT is ended.

    Raises:
        ValueError: the file is damaged or no classifier of these images, `kernels` is unknown, or
            `threads` is below 1.
        RuntimeError: LiteRT refuses the file, crashes on it or takes too long.
    """
    if kernels not in KERNELS:
        raise unknown("kernels", kernels, KERNELS)
    check_count("threads", threads)
    job = {
        "runtime": "litert",
        "package": "ai-edge-litert",
        "kernels": KERNELS[kernels],
        "threads": threads,
    }
    title = f"LiteRT ({kernels} kernels)"
    return classify(Path(sys.executable), title, job, prepare(model, images), timeout=timeout)


def run_compiled(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
    """Classify images in LiteRT's CompiledModel, the present API of phones; see `Classify`.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        RuntimeError: LiteRT refuses the file, crashes on it or takes too long.
    """
    task = prepare(model, images)
    job = {
        "runtime": "compiled",
        "package": "ai-edge-litert",
        "classes": task.target.shape[1],
        "dtype": task.target.dtype,
    }
    title = "LiteRT (CompiledModel)"
    return classify(Path(sys.executable), title, job, task, timeout=timeout)


def available() -> None:
    """Return None: LiteRT is always there, as kcnn depends on it."""
