"""The receipts: what each variant of a model is worth, where and with what it was measured."""

import dataclasses
import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import TypeAdapter

from kcnn.provenance import hardware, timestamp, versions
from kcnn.report import json_files
from kcnn.run_dir import atomic

if TYPE_CHECKING:
    from kcnn.evaluation import Evaluation

CONTROL = "control, no teacher"
"""The name of the variant that `kcnn run --control` adds."""


@dataclass(frozen=True)
class Receipt:
    """One variant of the model: its score on the whole test set, its size and its speed."""

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
    """The same as `ms_per_image`, measured by LiteRT's own benchmark tool; None below 0.05 ms, for
    which the tool is too coarse."""


@dataclass(frozen=True)
class Report:
    """The receipts of one run and everything needed to judge them."""

    recipe: str
    model: str
    parameters: int
    dataset: str
    train_images: int
    receipts: Annotated[tuple[Receipt, ...], json_files.formerly("receipts", "stages")]
    training: dict[str, float | int | str]
    seed: int
    git_commit: str | None = None
    created: str = dataclasses.field(default_factory=timestamp)
    hardware: dict[str, str | int] = dataclasses.field(default_factory=hardware)
    versions: dict[str, str] = dataclasses.field(default_factory=versions)

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


def receipt(name: str, file: Path, evaluation: "Evaluation", **measured: float | None) -> Receipt:
    """Return the receipt for a model file, its score and what else was measured of it."""
    content = file.read_bytes()
    return Receipt(
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
