"""LiteRT, as phones have it, with each of its three sets of kernels.

They differ by rounding: XNNPACK is what runs by default, the optimised kernels are what it replaced
and still stand in for what it lacks, the reference kernels are what all others are held against.
"""

import sys
from pathlib import Path

import numpy as np

from kcnn.errors import unknown
from kcnn.runtimes.process import classify
from kcnn.runtimes.runtime import TIMEOUT, Run, prepare

KERNELS = {
    "xnnpack": "AUTO",
    "optimised": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
"""What LiteRT calls them."""


def run(
    model: bytes,
    images: np.ndarray,
    *,
    kernels: str = "xnnpack",
    threads: int = 1,
    timeout: float = TIMEOUT,
) -> Run:
    """Classify images in LiteRT; see `Runtime.run`.

    Args:
        model: the bytes of a `.tflite` file.
        images: uint8, raw pixels `(count, height, width, channels)`.
        kernels: `"xnnpack"`, `"optimised"` or `"reference"`.
        threads: how many share the work on one image.
        timeout: in seconds.

    Raises:
        ValueError: the file is damaged or no classifier of these images.
        RuntimeError: LiteRT refuses the file, crashes on it or takes too long.
    """
    if kernels not in KERNELS:
        raise unknown("kernels", kernels, KERNELS)
    if threads < 1:
        raise ValueError(f"threads must be at least 1. Received: {threads}.")
    job = {
        "runtime": "litert",
        "package": "ai-edge-litert",
        "kernels": KERNELS[kernels],
        "threads": threads,
    }
    title = f"LiteRT ({kernels} kernels)"
    return classify(Path(sys.executable), title, job, prepare(model, images), timeout=timeout)


def available() -> None:
    """It always is: kcnn depends on it."""
