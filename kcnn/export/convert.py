"""Write a Keras model as a `.tflite` file, and check what came out."""

import gzip
import logging
import os
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from kcnn.errors import one_line, unknown
from kcnn.export.calibration import calibration_images
from kcnn.export.checks import check_exported, check_model, check_ranges
from kcnn.export.fold import fold_normalization
from kcnn.export.quantization import QUANTIZATIONS, Quantization
from kcnn.export.signature import add_signature
from kcnn.litert.labels import append_labels, check_labels
from kcnn.litert.native_log import native_log
from kcnn.litert.tflite_file import TensorSummary, summarize_bytes
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


def export_tflite(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    quantization: str = "int8",
    calibration: tf.data.Dataset | np.ndarray | None = None,
    samples: int = 300,
    labels: Sequence[str] | None = None,
) -> ExportResult:
    """Write a model as a `.tflite` file for phones and microcontrollers.

    With `quantization="int8"` every number in the file is an integer and the app feeds exactly
    `pixel - 128` as int8: the input has scale 1.0 and zero point -128 whatever the calibration
    images are. With `"none"` the file takes raw pixels 0-255 as float32 and equals the model. The
    normalisation of the pixels is folded into the first layer, batch norms into convolutions. The
    signature is `serving_default`: one `image` in, `logits` out.

    Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877.

    Args:
        model: a built Sequential or Functional float32 model from raw pixels 0-255
            `(batch, height, width, channels)` to logits `(batch, classes)`. It is not changed.
        path: the `.tflite` file to write, whole or not at all.
        quantization: `"int8"` or `"none"`.
        calibration: for int8, training images without augmentation: `data.calibration`, or a
            uint8 array. Never test images: they would be seen before they are scored.
        samples: how many of them are used, the first ones; 100 to 500 is the useful range.
        labels: the class names; they are packed into the file as `labels.txt`.

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
    image_shape, classes = check_model(model)
    labels = check_labels(labels, classes)
    images = None
    if mode.calibrated:
        images = calibration_images(calibration, image_shape, samples)
    data = append_labels(_convert(fold_normalization(model), image_shape, mode, images), labels)
    summary = summarize_bytes(data, path)
    check_exported(data, summary, mode)
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


def _convert(
    model: keras.Model,
    image_shape: tuple[int, int, int],
    mode: Quantization,
    images: np.ndarray | None,
) -> bytes:
    """Return the model's bytes in the `.tflite` format, for one image at a time."""

    @tf.function(input_signature=[tf.TensorSpec((1, *image_shape), tf.float32)])
    def serve(image: tf.Tensor) -> tf.Tensor:
        return model(image, training=False)

    # With the function itself as the object to keep, the converter freezes the variables: its
    # detour through a SavedModel loses them before calibration, and takes twice the time.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], serve
    )
    converter.optimizations = [tf.lite.Optimize[name] for name in mode.optimizations]
    converter.target_spec.supported_ops = [tf.lite.OpsSet[mode.operators]]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(mode.dtype)
    try:
        with native_log(), warnings.catch_warnings():
            # It asks for the statistics that calibration is about to measure.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            return add_signature(
                converter.convert() if images is None else _quantized(converter, images)
            )
    except Exception as error:  # the converter's own errors have no common class
        raise _conversion_error(error) from error


def _quantized(converter: tf.lite.TFLiteConverter, images: np.ndarray) -> bytes:
    """Convert, measure the range of every tensor on the images, and quantise."""
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    # In two steps, with a look in between: an infinite range would not fail the quantiser but
    # crash the process.
    converter._experimental_calibrate_only = True
    calibrated = converter.convert()
    check_ranges(calibrated)
    return mlir_quantize(
        calibrated,
        input_data_type=converter.inference_input_type,
        output_data_type=converter.inference_output_type,
    )


def _conversion_error(error: Exception) -> RuntimeError:
    """Return, not raise, one line for the converter's many."""
    missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither a custom op", str(error))))
    if missing:
        return RuntimeError(
            f"TensorFlow Lite has no operator for {', '.join(missing)}; replace the layer that "
            "needs it."
        )
    reason = one_line(error)
    return RuntimeError(f"TensorFlow Lite cannot convert the model: {reason}")
