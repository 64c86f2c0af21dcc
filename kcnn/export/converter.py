"""TensorFlow Lite's converter: from a Keras model to the bytes of a `.tflite` file."""

import re
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import one_line
from kcnn.export.checks import check_ranges
from kcnn.export.modes import Quantization
from kcnn.export.private_converter import calibrate, quantize
from kcnn.export.signature import add_signature
from kcnn.litert.native_log import native_log


def convert(
    model: keras.Model,
    image_shape: tuple[int, ...],
    mode: Quantization,
    io: str,
    output: str,
    images: np.ndarray | None,
) -> bytes:
    """Return a model in the `.tflite` format, for one image at a time.

    Args:
        model: from float images to the output of the file.
        image_shape: of one image.
        mode: how its numbers are stored.
        io: the dtype of the file's input and output.
        output: the name of the file's output.
        images: float32 `(count, *image_shape)`, on which the ranges are measured; None if the mode
            needs no ranges, or the model has learned them.

    Raises:
        RuntimeError: the converter cannot do it; one line says why.
    """

    def call(image: tf.Tensor) -> Any:
        return model(image, training=False)

    serve: Any = tf.function(call, input_signature=[tf.TensorSpec((1, *image_shape), tf.float32)])
    # With the function itself as the object to keep, the converter freezes the variables: its
    # detour through a SavedModel loses them before calibration, and takes twice the time.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], serve
    )
    converter.optimizations = [tf.lite.Optimize[name] for name in mode.optimizations]
    converter.target_spec.supported_ops = [tf.lite.OpsSet[mode.operators]]
    converter.target_spec.supported_types = [tf.as_dtype(name) for name in mode.types]
    if mode.calibrated and images is None:
        # If only integer operators were allowed, the converter would insist on images.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    try:
        with native_log(), warnings.catch_warnings():
            # The converter misses the statistics that the calibration is about to measure.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            data = converter.convert() if images is None else _quantized(converter, images, io)
            return add_signature(data, output)
    except Exception as error:  # the converter's own errors have no common class
        raise _conversion_error(error) from error


def _quantized(converter: tf.lite.TFLiteConverter, images: np.ndarray, io: str) -> bytes:
    """Convert, measure the range of every tensor on the images, and quantize."""
    # In two steps, with a look in between: an infinite range would not fail the quantizer but
    # crash the process.
    calibrated = calibrate(converter, images)
    check_ranges(calibrated)
    return quantize(calibrated, io)


def _conversion_error(error: Exception) -> RuntimeError:
    """Return one line for the converter's many; the caller raises it."""
    missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither a custom op", str(error))))
    if missing:
        return RuntimeError(
            f"TensorFlow Lite has no operator for {', '.join(missing)}; replace the layer that "
            "needs it."
        )
    return RuntimeError(f"TensorFlow Lite cannot convert the model: {one_line(error)}")
