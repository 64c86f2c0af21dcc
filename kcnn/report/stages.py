"""The receipts: what each stage of a run is worth, and where and with what it was measured."""

import dataclasses
import gzip
import json
import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from kcnn.report import json_files
from kcnn.run_dir import atomic

if TYPE_CHECKING:
    from kcnn.evaluation import Evaluation

CONTROL = "control, no teacher"
"""The name of the stage that `kcnn run --control` adds."""

PACKAGES = (
    "kcnn",
    "tensorflow",
    "keras",
    "jax",
    "tf-keras",
    "tensorflow-model-optimization",
    "tensorflow-datasets",
    "ai-edge-litert",
    "numpy",
)


@dataclass(frozen=True)
class Stage:
    """One form of the model and its score on the whole test set."""

    name: str
    file: str
    accuracy: float
    top5_accuracy: float
    loss: float
    count: int
    bytes: int
    gzip_bytes: int
    ms_per_image: float | None
    """One image at a time on one thread of this machine, in LiteRT, the median; Keras models as
    float32. None where LiteRT was not asked, as in a run on JAX."""
    sparsity: float
    """Fraction of zeros among the convolutions' and dense layers' weights; of a .tflite file,
    those of the Keras model it was made from."""
    parameters: int | None = None
    """All numbers of the Keras model: batch norms' statistics too, and the ranges that training for
    int8 learns."""
    macs: int | None = None
    """Multiply-accumulates for an image."""
    arena_bytes: int | None = None
    """Memory for activations in TensorFlow Lite Micro, where that was installed and has all of the
    file's operators."""
    ms_two_threads: float | None = None
    """The same as `ms_per_image` on two threads."""
    tool_ms: float | None = None
    """The same as `ms_per_image`, measured by LiteRT's own benchmark tool."""


@dataclass(frozen=True)
class Report:
    """The stages of one run and everything needed to judge them."""

    recipe: str
    model: str
    parameters: int
    dataset: str
    train_images: int
    stages: tuple[Stage, ...]
    training: dict[str, float | int | str]
    seed: int
    git_commit: str | None = None
    created: str = dataclasses.field(default_factory=lambda: datetime.now(UTC).isoformat()[:19])
    hardware: dict[str, str | int] = dataclasses.field(default_factory=lambda: hardware())
    versions: dict[str, str] = dataclasses.field(default_factory=lambda: versions())

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


_REPORT = TypeAdapter(Report)


def load(path: str | os.PathLike) -> Report:
    """Read a `report.json`.

    Raises:
        ValueError: there is none, or it is not a report.
    """
    return json_files.read(_REPORT, path, "report")


def stage(name: str, file: Path, evaluation: "Evaluation", **measured: float | None) -> Stage:
    """Return the receipt for a model file, its score and what else was measured of it."""
    content = file.read_bytes()
    return Stage(
        name=name,
        file=file.name,
        accuracy=evaluation.accuracy,
        top5_accuracy=evaluation.top5_accuracy,
        loss=evaluation.loss,
        count=evaluation.count,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        **measured,
    )


def git_commit(file: str | os.PathLike = __file__) -> str | None:
    """Return the commit of the checkout that holds `file`, with `+` if anything in it changed.

    None where the file is in no checkout, or is not one of its own, as in site-packages.
    """
    folder = Path(file).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(file).name)
        changed = git("status", "--porcelain", "--untracked-files=no", ":/")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Return the versions of what is installed of `PACKAGES`."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # with JAX, TensorFlow may be absent
            found[name] = version(name)
    return found


def hardware() -> dict[str, str | int]:
    """Return the processor's name, the cores this process may use, and the system."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": processor, "cores": cores or 1, "system": platform.system()}
