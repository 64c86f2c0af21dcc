"""TensorFlow Lite Micro of 2024, beside the version that kcnn installs.

python -m tests.old_micro    # installs both where `kcnn verify` looks for runtimes
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kcnn.runtimes import RUNTIMES, Run, Runtime
from kcnn.runtimes.installation import folder
from kcnn.runtimes.runtime import TIMEOUT

VERSIONS = {"2024-05": "0.dev20240507161559", "2024-06": "0.dev20240618201315"}
_CHOICE = "KCNN_TFLITE_MICRO_PYTHON"


def python_of(date: str) -> Path:
    """Return the Python that has the version of a month, whether it is installed or not."""
    return folder() / f"tflite-micro-{VERSIONS[date]}" / "bin" / "python"


def runtime_of(date: str) -> Runtime:
    """Return the version of a month as a runtime for `kcnn.bundle.verify`."""
    today, python = RUNTIMES["tflite-micro"], python_of(date)

    def run(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
        with _chosen(python):
            return today.run(model, images, timeout=timeout)

    def available() -> str | None:
        return None if python.exists() else "`python -m tests.old_micro` installs it."

    name, title = f"tflite-micro-{date}", f"TFLite Micro of {date}"
    return replace(today, name=name, title=title, run=run, available=available)


def run_of(date: str) -> Callable[..., Run]:
    """Return what runs a file on the version of a month or "today"; skip the test without it."""
    runtime = RUNTIMES["tflite-micro"] if date == "today" else runtime_of(date)
    if reason := runtime.available():
        pytest.skip(reason)
    return runtime.run


@contextmanager
def _chosen(python: Path) -> Iterator[None]:
    before = os.environ.get(_CHOICE)
    os.environ[_CHOICE] = str(python)
    try:
        yield
    finally:
        os.environ.pop(_CHOICE)
        if before is not None:
            os.environ[_CHOICE] = before


def main() -> None:
    """Install what is missing."""
    for date, version in VERSIONS.items():
        python = python_of(date)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
            subprocess.run([*pip, f"tflite-micro=={version}", "numpy<2"], check=True)


if __name__ == "__main__":
    main()
