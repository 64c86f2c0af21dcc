"""Write a Keras model as a `.tflite` file, and check the result."""

import gzip
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import unknown
from kcnn.export.calibration import calibration_images
from kcnn.export.checks import check_exported, check_model
from kcnn.export.converter import convert
from kcnn.export.modes import IO, QUANTIZATIONS
from kcnn.export.probabilities import returns_probabilities, with_probabilities
from kcnn.export.strip_fake_quant import is_quantize_aware, strip_fake_quant
from kcnn.litert.feature_map import add_feature_map
from kcnn.litert.labels import append_labels, check_labels
from kcnn.litert.metadata import description_of, with_metadata
from kcnn.litert.tflite_file import TensorSummary, TFLiteSummary, summarize_bytes
from kcnn.litert.trial import trust
from kcnn.models.files import in_float32
from kcnn.models.fold_normalization import fold_normalization
from kcnn.models.input_range import check_range
from kcnn.notebook import html_facts
from kcnn.run_dir import atomic

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
    calibration_count: int
    seconds: float

    def _repr_html_(self) -> str:
        facts = {"quantization": self.quantization, "bytes": self.bytes}
        facts |= {"gzip bytes": self.gzip_bytes}
        for name, tensor in (("input", self.input), ("output", self.output)):
            facts[name] = f"{tensor.dtype} {'x'.join(map(str, tensor.shape))}"
        facts["operators"] = ", ".join(f"{n} {name}" for name, n in self.operators.items())
        facts |= {"calibration images": self.calibration_count, "seconds": round(self.seconds, 1)}
        return html_facts(str(self.path), facts)


def export_tflite(  # noqa: PLR0913 - what an app's developer decides; the defaults are for a phone
    model: keras.Model,
    path: str | os.PathLike,
    *,
    quantization: str = "int8",
    io: str | None = None,
    calibration: tf.data.Dataset | np.ndarray | None = None,
    samples: int = 300,
    labels: Sequence[str] | None = None,
    softmax: bool = False,
    feature_map: bool = False,
) -> ExportResult:
    """Write a model as a `.tflite` file for phones and microcontrollers.

    Use it for one file; `kcnn.bundle.write_bundle` writes everything around it too. The
    normalization of the pixels is folded into the first layer, batch norms into convolutions. The
    signature is `serving_default`: its input is `image`, its output `logits` or `probabilities`.
    The values of `quantization` are:

    * `"int8"`: the file stores every number as an integer. It has a quarter of the size, is two to
      four times as fast, and is the only kind for microcontrollers. Ranges are measured on
      `calibration` images.
    * `"dynamic"`: weights are stored as int8, activations are computed in float32. Needs no images.
    * `"float16"`: weights are stored as float16, for GPUs. The file has half of the size; on a CPU
      it is as fast as float32.
    * `"none"`: float32; the file computes what the model computes.

    There is no mode for sparse weights: an int8 file made with `EXPERIMENTAL_SPARSITY` does not
    load in LiteRT 2.3. The zeros of a pruned model do make a compressed download smaller.

    Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a built Sequential or Functional model from raw pixels 0-255
            `(batch, height, width, channels)` to logits `(batch, classes)`. It is not changed; one
            in mixed precision is exported in float32. A model of series `(batch, steps, channels)`
            is exported too, and one of voxels in floats, where LiteRT has its operators; the range
            of their numbers, and so the scale of an integer input, is that of `calibration`.
        path: the `.tflite` file to write, whole or not at all.
        quantization: one of the above.
        io: dtype of the input and the output of an int8 file. `"int8"`, the default: the app
            feeds exactly `pixel - 128`, as the input has scale 1.0 and zero point -128 for any
            calibration images. `"uint8"`: raw bytes, for LiteRT.js and cameras. `"float32"`: raw
            pixels as floats, and real logits. The other kinds of files always have float32.
        calibration: for int8, training images without augmentation: `data.calibration`, or a
            uint8 array. Never pass test images: the model would have seen them before it is
            scored. A model from quantization-aware training has learned its ranges and needs none.
        samples: how many of them are used, the first ones; 100 to 500 are useful.
        labels: the class names, which are packed into the file as `labels.txt`.
        softmax: return probabilities instead of logits: their softmax, or of a single logit the
            sigmoid. A model of your own that ends in a softmax or in sigmoids returns them in any
            case.
        feature_map: add a second output `feature_map`, the last feature map, and pack the weights
            that make heat maps from it; see `kcnn.litert.feature_map`. The logits stay the same,
            bit for bit. For models that end in global average pooling and one dense layer.

    Returns:
        The size of the file, its input and output, and its operators.

    Raises:
        ValueError: the model, the path, the mode, the calibration images or the labels cannot make
            a correct file; the message says why.
        RuntimeError: the model has an operation that TensorFlow Lite lacks in this mode.

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> images = np.random.default_rng(0).integers(20, 200, (16, 8, 8, 3)).astype(np.uint8)
    >>> result = export_tflite(model, tempfile.mkdtemp() + "/model.tflite", calibration=images)
    >>> result.input.dtype, result.input.scale, result.input.zero_point, result.output.dtype
    ('int8', 1.0, -128, 'int8')
    """
    started = time.perf_counter()
    path = _tflite_path(path)
    if quantization not in QUANTIZATIONS:
        raise unknown("quantization", quantization, QUANTIZATIONS)
    mode, dtype = QUANTIZATIONS[quantization], _io(io, quantization)
    image_shape, classes = check_model(model, any_rank=True)
    names = check_labels(labels, classes)
    images = None
    if is_quantize_aware(model):
        model = strip_fake_quant(model, keep_ranges=mode.calibrated)
    elif mode.calibrated:
        images = calibration_images(calibration, image_shape, samples)
        check_range(model, images, called="The calibration images")
    folded = fold_normalization(in_float32(model))
    ready = returns_probabilities(model, images)
    whole = with_probabilities(folded) if softmax and not ready else folded
    output = "probabilities" if softmax or ready else "logits"
    data = convert(whole, image_shape, mode, dtype, output, images)
    if feature_map:
        data = add_feature_map(data, path)
    data = append_labels(data, names)
    summary = summarize_bytes(data, path)
    about = description_of(summary)
    data = with_metadata(data, summary, name=model.name, description=about)
    check_exported(data, summary, mode, dtype)
    trust(data)
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    counted = 0 if images is None else len(images)
    return _result(path, quantization, data, summary, counted, time.perf_counter() - started)


def _result(
    path: Path, quantization: str, data: bytes, summary: TFLiteSummary, images: int, seconds: float
) -> ExportResult:
    result = ExportResult(
        path=path,
        quantization=quantization,
        bytes=len(data),
        gzip_bytes=len(gzip.compress(data, mtime=0)),
        input=summary.inputs[0],
        output=summary.outputs[0],
        operators=summary.operators,
        calibration_count=images,
        seconds=seconds,
    )
    logger.debug("Wrote %s: %s bytes in %.1f s.", path, f"{result.bytes:,}", result.seconds)
    return result


def _tflite_path(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file to write must end in .tflite. Received: {path}.")
    return path


def _io(io: str | None, quantization: str) -> str:
    """Return the dtype of the file's input and output."""
    if not QUANTIZATIONS[quantization].calibrated:
        if io not in (None, "float32"):
            raise ValueError(
                f'A file with quantization="{quantization}" has a float32 input and output. '
                f"Received: io={io!r}"
            )
        return "float32"
    if io is None:
        return "int8"
    if io not in IO:
        raise unknown("io", io, IO)
    return io
