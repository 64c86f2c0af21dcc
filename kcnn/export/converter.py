"""TensorFlow Lite's converter: from a Keras model to the bytes of a `.tflite` file."""

import re
import warnings

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import util
from tensorflow.lite.python.convert import mlir_quantize

from kcnn.errors import one_line
from kcnn.export.checks import check_ranges
from kcnn.export.quantization import Quantization
from kcnn.export.signature import add_signature
from kcnn.litert.native_log import native_log


def converted(
    model: keras.Model,
    image_shape: tuple[int, int, int],
    mode: Quantization,
    io: str,
    output: str,
    images: np.ndarray | None,
) -> bytes:
    """Return the model's bytes in the `.tflite` format, for one image at a time.

    Args:
        model: from float images to what the file gives.
        image_shape: of one image.
        mode: how its numbers are stored.
        io: the dtype of what goes in and comes out.
        output: what to call what comes out.
        images: float32 `(count, *image_shape)`, on which the ranges are measured; None if the mode
            does without, or the model has learned them.

    Raises:
        RuntimeError: the converter cannot do it; one line says why.
    """

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
    converter.target_spec.supported_types = [tf.as_dtype(name) for name in mode.types]
    if mode.calibrated and images is None:
        # It would insist on images if only integer operators were allowed.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    try:
        with native_log(), warnings.catch_warnings():
            # It asks for the statistics that calibration is about to measure.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            data = converter.convert() if images is None else _quantized(converter, images, io)
            return add_signature(data, output)
    except Exception as error:  # the converter's own errors have no common class
        raise _conversion_error(error) from error


def _quantized(converter: tf.lite.TFLiteConverter, images: np.ndarray, io: str) -> bytes:
    """Convert, measure the range of every tensor on the images, and quantise."""
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    # In two steps, with a look in between: an infinite range would not fail the quantiser but
    # crash the process.
    converter._experimental_calibrate_only = True
    calibrated = converter.convert()
    check_ranges(calibrated)
    if io == "int8":
        return mlir_quantize(calibrated, input_data_type=tf.int8, output_data_type=tf.int8)
    # The quantiser would leave the scales of uint8 ends unfit; TensorFlow Lite's own converter
    # takes this way too.
    return util.modify_model_io_type(mlir_quantize(calibrated), tf.as_dtype(io), tf.as_dtype(io))


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
