"""The receipts of a run: score, size and speed of each variant; the content of `report.json`."""

import dataclasses
import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, FiniteFloat, TypeAdapter

from kcnn.notebook import html_table
from kcnn.provenance import hardware, timestamp, versions
from kcnn.report import json_files
from kcnn.run_dir import atomic

if TYPE_CHECKING:
    from kcnn.evaluation import Evaluation

CONTROL = "control, no teacher"
"""The name of the variant that `kcnn run --control` adds."""


@dataclass(frozen=True)
class Receipt:
    """One variant of the model: its score on the whole test set, its size and its speed.

    Attributes:
        name: the variant's: "float", "pruned 50%", "int8" and so on.
        file: the name of its file in the run's folder.
        accuracy: the share of test images that it predicts correctly, 0 to 1.
        top5_accuracy: the share of test images whose class is among its five most probable ones.
        loss: mean cross-entropy, in nats.
        count: the number of test images.
        bytes: the size of the file.
        gzip_bytes: the size of the file compressed by gzip, as a download is.
        ms_per_image: milliseconds in LiteRT, one image at a time on one thread of this machine, the
            median; a Keras model is timed as a float32 file. None where LiteRT was not run, as in a
            run on JAX.
        sparsity: the share of zeros among the weights of convolutions and dense layers; for a
            `.tflite` file, among those of the Keras model that it was made from.
        parameters: all numbers of the Keras model, including the statistics of batch norms and the
            ranges that training for int8 learns.
        macs: multiply-accumulates for an image.
        arena_bytes: memory for activations in TensorFlow Lite Micro; None where that is not
            installed or lacks one of the file's operators.
        ms_two_threads: as `ms_per_image`, on two threads.
        tool_ms: as `ms_per_image`, measured by LiteRT's own benchmark tool; None below 0.05 ms, for
            which the tool is too coarse.
    """

    name: str
    file: Annotated[str, Field(max_length=255)]
    accuracy: json_files.Share
    top5_accuracy: json_files.Share
    loss: float
    count: Annotated[int, Field(ge=1)]
    bytes: int
    gzip_bytes: int
    ms_per_image: float | None
    sparsity: float
    parameters: int | None = None
    macs: int | None = None
    arena_bytes: int | None = None
    ms_two_threads: float | None = None
    tool_ms: float | None = None


@dataclass(frozen=True)
class Report:
    """The receipts of one run and everything needed to judge them.

    Attributes:
        recipe: the name of the recipe.
        model: the name of the model.
        parameters: the number of its trainable parameters.
        dataset: the name of the data set.
        train_images: the number of images that it was trained on.
        receipts: one for each variant, the trained model's first.
        training: epochs, seconds, best epoch, precision, why the training stopped (see
            `kcnn.training.TrainResult`) and its rollbacks; or the file of the trained model that
            the run began with. Of that model, of a base and of a teacher the SHA-256 too.
        seed: of all random numbers.
        git_commit: of the code, with a "+" if it had uncommitted changes; None outside a checkout.
        created: when the report was made, in UTC.
        hardware: processor, cores and system.
        versions: of Python and the libraries.
    """

    recipe: str
    model: str
    parameters: int
    dataset: str
    train_images: int
    receipts: Annotated[
        tuple[Receipt, ...], json_files.formerly("receipts", "stages"), Field(min_length=1)
    ]
    training: dict[str, FiniteFloat | int | str | list[dict[str, FiniteFloat | int | str | None]]]
    seed: int
    git_commit: str | None = None
    created: str = dataclasses.field(default_factory=timestamp)
    hardware: dict[str, str | int] = dataclasses.field(default_factory=hardware)
    versions: dict[str, str] = dataclasses.field(default_factory=versions)

    def _repr_html_(self) -> str:
        rows = [
            [
                each.name,
                f"{each.accuracy:.2%}",
                f"{each.sparsity:.0%}",
                each.bytes,
                each.gzip_bytes,
                each.ms_per_image,
            ]
            for each in self.receipts
        ]
        header = ["variant", "accuracy", "zeros", "bytes", "gzip bytes", "ms/image"]
        note = f"{self.receipts[0].count:,} test images of {self.dataset}"
        return html_table(header, rows, title=f"{self.recipe}: {self.model}", note=note)

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


_REPORT = TypeAdapter(Report)


def load(path: str | os.PathLike) -> Report:
    """Read a `report.json`, also one of an older version.

    Raises:
        ValueError: there is no such file, or it is not a report.
    """
    return json_files.read(_REPORT, path, "report")


def receipt(name: str, file: Path, evaluation: "Evaluation", **measured: Any) -> Receipt:
    """Return the receipt for a model file.

    Args:
        name: the variant's.
        file: its file, whose size is measured here.
        evaluation: its score.
        measured: everything else that a `Receipt` says, by the names of its attributes.
    """
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
