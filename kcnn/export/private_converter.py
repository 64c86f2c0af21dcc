"""The steps of TensorFlow Lite's converter that TensorFlow offers under private names only.

No other file uses these names, which may change with any version of TensorFlow.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import util
from tensorflow.lite.python.convert import mlir_quantize


def calibrate(converter: tf.lite.TFLiteConverter, images: np.ndarray) -> bytes:
    """Return the float model with the range of every tensor, measured on the images.

    Args:
        converter: of the float model.
        images: float32 `(count, height, width, channels)`.
    """
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter._experimental_calibrate_only = True
    return converter.convert()


def quantize(calibrated: bytes, io: str) -> bytes:
    """Return the integer model of a calibrated one, whose input and output have the dtype `io`."""
    dtype: Any = tf.as_dtype(io)
    quantize_model: Any = mlir_quantize
    if io == "int8":
        return quantize_model(calibrated, input_data_type=dtype, output_data_type=dtype)
    # The quantizer would leave wrong scales at a uint8 input and output. TensorFlow Lite's own
    # converter, too, changes their dtype afterwards.
    return util.modify_model_io_type(quantize_model(calibrated), dtype, dtype)
