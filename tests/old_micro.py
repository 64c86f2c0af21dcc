"""TensorFlow Lite Micro of 2024, beside the version that kcnn installs.

python -m tests.old_micro    # installs both where `kcnn verify` looks for runtimes
"""

import subprocess
import sys
from pathlib import Path

from kcnn.runtimes.installation import folder

VERSIONS = {"2024-05": "0.dev20240507161559", "2024-06": "0.dev20240618201315"}


def python_of(date: str) -> Path:
    """Return the Python that has the version of a month, whether it is installed or not."""
    return folder() / f"tflite-micro-{VERSIONS[date]}" / "bin" / "python"


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
