"""What an export returns: the file that it has written."""

import gzip
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kcnn.litert.layer_names import float_layers
from kcnn.litert.tflite_file import TensorSummary, TFLiteSummary
from kcnn.notebook import html_facts

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class ExportResult:
    """A written `.tflite` file.

    Attributes:
        path: the file.
        quantization: how it stores numbers, as passed to `export_tflite`.
        bytes: its size.
        gzip_bytes: the size of a compressed download of it.
        input: of the file.
        output: of the file.
        operators: the count of each operator by name.
        float_layers: those that compute in float32 in an integer file.
        calibration_count: how many images ranges were measured on.
        seconds: how long the export took.
    """

    path: Path
    quantization: str
    bytes: int
    gzip_bytes: int
    input: TensorSummary
    output: TensorSummary
    operators: Mapping[str, int]
    float_layers: tuple[str, ...]
    calibration_count: int
    seconds: float

    def _repr_html_(self) -> str:
        facts = {"quantization": self.quantization, "bytes": self.bytes}
        facts |= {"gzip bytes": self.gzip_bytes}
        for name, tensor in (("input", self.input), ("output", self.output)):
            facts[name] = f"{tensor.dtype} {'x'.join(map(str, tensor.shape))}"
        if self.float_layers:
            facts["layers in float32"] = self.float_layers
        facts["operators"] = ", ".join(f"{n} {name}" for name, n in self.operators.items())
        facts |= {"calibration images": self.calibration_count, "seconds": round(self.seconds, 1)}
        return html_facts(str(self.path), facts)


def describe(
    path: Path, quantization: str, data: bytes, summary: TFLiteSummary, images: int, seconds: float
) -> ExportResult:
    """Return what was written: the file, how its numbers are stored, and what it holds."""
    result = ExportResult(
        path=path,
        quantization=quantization,
        bytes=len(data),
        gzip_bytes=len(gzip.compress(data, mtime=0)),
        input=summary.inputs[0],
        output=summary.outputs[0],
        operators=summary.operators,
        float_layers=float_layers(data),
        calibration_count=images,
        seconds=seconds,
    )
    logger.debug("Wrote %s: %s bytes in %.1f s.", path, f"{result.bytes:,}", result.seconds)
    return result
