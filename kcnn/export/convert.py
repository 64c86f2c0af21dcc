"""Write a Keras model as a `.tflite` file, and check what came out."""

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
from kcnn.export.converter import converted
from kcnn.export.quantization import IO, QUANTIZATIONS
from kcnn.export.quantize_aware import is_quantize_aware, settled
from kcnn.litert.feature_map import add_feature_map
from kcnn.litert.labels import append_labels, check_labels
from kcnn.litert.tflite_file import TensorSummary, summarize_bytes
from kcnn.models.files import in_float32
from kcnn.models.fold_normalization import fold_normalization
from kcnn.models.interface import final_activation
from kcnn.run_dir import atomic

_logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    `bytes` is the size of the file, `gzip_bytes` that of a compressed download of it, `operators`
    counts the operators by name, `calibration_count` the images on which ranges were measured.
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

    The normalisation of the pixels is folded into the first layer, batch norms into convolutions.
    The signature is `serving_default`: one `image` in, `logits` or `probabilities` out. The file
    stores, with

    * `"int8"`, every number as an integer: a quarter of the size, two to four times as fast, and
      the only way for microcontrollers. Ranges are measured on `calibration` images.
    * `"dynamic"`, weights as int8, and computes the rest in float32 as it goes: no images needed.
    * `"float16"`, weights as float16: half of the size, the speed of float32 on a CPU, for GPUs.
    * `"none"`, float32, and equals the model.

    There is no mode for sparse weights: an int8 file made with `EXPERIMENTAL_SPARSITY` does not
    load in LiteRT 2.3. Zeros of a pruned model make the compressed download smaller.

    Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a built Sequential or Functional model from raw pixels 0-255
            `(batch, height, width, channels)` to logits `(batch, classes)`. It is not changed; one
            in mixed precision is exported in float32.
        path: the `.tflite` file to write, whole or not at all.
        quantization: one of the above.
        io: what goes in and comes out of an int8 file. `"int8"`, the default: the app feeds
            exactly `pixel - 128`, as the input has scale 1.0 and zero point -128 whatever the
            calibration images are. `"uint8"`: raw bytes, for LiteRT.js and cameras.
            `"float32"`: raw pixels as floats, and logits in real numbers. The other files take
            and give float32.
        calibration: for int8, training images without augmentation: `data.calibration`, or a
            uint8 array. Never test images: they would be seen before they are scored. A model
            from quantisation-aware training has learned its ranges and needs none.
        samples: how many of them are used, the first ones; 100 to 500 is the useful range.
        labels: the class names; they are packed into the file as `labels.txt`.
        softmax: give probabilities in place of logits. A model of your own that ends in a softmax
            gives them anyway.
        feature_map: give out the last feature map too, as a second output `feature_map`, and pack
            the weights that make heat maps of it; see `kcnn.litert.feature_map`. The logits stay
            the same, bit for bit. For models that end in global average pooling and one dense
            layer.

    Raises:
        ValueError: a model, path, mode, calibration or labels that cannot give a true file.
        RuntimeError: the model holds an operation that TensorFlow Lite does not have in this mode.

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
    mode = QUANTIZATIONS[quantization]
    io = _io(io, quantization)
    image_shape, classes = check_model(model)
    labels = check_labels(labels, classes)
    learned = is_quantize_aware(model)
    if learned:
        model = settled(model, ranges=mode.calibrated)
    images = None
    if mode.calibrated and not learned:
        images = calibration_images(calibration, image_shape, samples)
    folded = fold_normalization(in_float32(model))
    squashed = final_activation(model) == "softmax"
    whole = _with_softmax(folded) if softmax and not squashed else folded
    output = "probabilities" if softmax or squashed else "logits"
    data = converted(whole, image_shape, mode, io, output, images)
    if feature_map:
        data = add_feature_map(data, path)
    data = append_labels(data, labels)
    summary = summarize_bytes(data, path)
    check_exported(data, summary, mode, io)
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    result = ExportResult(
        path=path,
        quantization=quantization,
        bytes=len(data),
        gzip_bytes=len(gzip.compress(data, mtime=0)),
        input=summary.inputs[0],
        output=summary.outputs[0],
        operators=summary.operators,
        calibration_count=0 if images is None else len(images),
        seconds=time.perf_counter() - started,
    )
    _logger.debug("Wrote %s: %s bytes in %.1f s.", path, f"{result.bytes:,}", result.seconds)
    return result


def _tflite_path(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file to write must end in .tflite. Received: {path}.")
    return path


def _io(io: str | None, quantization: str) -> str:
    """Return the dtype of what goes in and comes out."""
    if not QUANTIZATIONS[quantization].calibrated:
        if io not in (None, "float32"):
            raise ValueError(
                f'A file with quantization="{quantization}" takes and gives float32. '
                f"Received: io={io!r}"
            )
        return "float32"
    if io is None:
        return "int8"
    if io not in IO:
        raise unknown("io", io, IO)
    return io


def _with_softmax(model: keras.Model) -> keras.Model:
    probabilities = keras.layers.Softmax(name="probabilities")(model.outputs[0])
    return keras.Model(model.inputs[0], probabilities, name=model.name)
