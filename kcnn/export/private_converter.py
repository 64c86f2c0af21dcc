"""The steps of TensorFlow Lite's converter that TensorFlow offers under private names only.

No other file uses these names, which may change with any version of TensorFlow.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import util
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator


def calibrate(converter: tf.lite.TFLiteConverter, images: np.ndarray) -> bytes:
    """Return the float model with the range of every tensor, measured on the images.

    Args:
        converter: of the float model.
        images: float32 `(count, height, width, channels)`.
    """
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter._experimental_calibrate_only = True
    return converter.convert()


def quantize(calibrated: bytes, io: str, float_tensors: Collection[str] = ()) -> bytes:
    """Return the int8 model of a calibrated one, whose input and output have the dtype `io`.

    Args:
        calibrated: what `calibrate` returns.
        io: "int8", "uint8" or "float32".
        float_tensors: names of the outputs of operators that stay in float32.
    """
    dtype: Any = tf.as_dtype(io)
    quantize_model: Any = mlir_quantize
    excluded = {"denylisted_nodes": {*float_tensors}} if float_tensors else {}
    if io == "int8":
        return quantize_model(calibrated, input_data_type=dtype, output_data_type=dtype, **excluded)
    # The quantizer would leave wrong scales at a uint8 input and output. TensorFlow Lite's own
    # converter, too, changes their dtype afterwards.
    return util.modify_model_io_type(quantize_model(calibrated, **excluded), dtype, dtype)


def quantize_int16(calibrated: bytes, io: str) -> bytes:
    """Return the model of a calibrated one with int16 activations and int8 kernels.

    Only TensorFlow's older quantizer makes such models.

    Args:
        calibrated: what `calibrate` returns.
        io: "int16" or "float32".
    """
    dtype: Any = tf.as_dtype(io)
    quantizer: Any = Calibrator(calibrated)
    return quantizer.calibrate_and_quantize(
        lambda: iter(()),  # calibrated already
        dtype,
        dtype,
        allow_float=False,
        activations_type=tf.int16,
        bias_type=tf.int64,
    )
