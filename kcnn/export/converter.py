"""TensorFlow Lite's converter: from a Keras model to the bytes of a `.tflite` file."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kcnn.errors import one_line
from kcnn.export.dead_filters import with_positive_scales
from kcnn.export.dense_scales import with_one_dense_scale
from kcnn.export.exclude import float_tensors
from kcnn.export.int4_kernels import with_int4_kernels
from kcnn.export.modes import QUANTIZATIONS, Target
from kcnn.export.private_converter import calibrate, quantize, quantize_int16
from kcnn.export.ranges import check_ranges, widen_ranges
from kcnn.export.signature import add_signature
from kcnn.litert.native_log import native_log
from kcnn.litert.short_names import with_short_names

_IMAGES = 4  # axes
_LARGEST_INT16 = 32767 / 128


def convert(
    model: keras.Model,
    image_shape: tuple[int, ...],
    target: Target,
    images: np.ndarray | None,
    floats: keras.Model | None = None,
) -> bytes:
    """Return a model in the `.tflite` format, for one image at a time.

    Args:
        model: from float images to the output of the file.
        image_shape: of one image.
        target: what file to make.
        images: float32 `(count, *image_shape)`, on which the ranges are measured; None if the mode
            needs no ranges, or the model has learned them.
        floats: of a model that has learned its ranges, the same without them.

    Raises:
        RuntimeError: the converter cannot do it; one line says why.
    """
    converter = _make_converter(model, image_shape, target)
    if images is not None:
        data = _quantized(converter, images, target)
    elif floats is not None and target.mode.calibrated:
        data = _with_learned_ranges(converter, floats, image_shape, target)
    else:
        with _quiet_converter():
            data = converter.convert()
            if target.mode.integer_kernels and not target.dense_per_channel:
                data = with_one_dense_scale(data, _in_floats(model, image_shape, target))
    return add_signature(data, target.output)


def _make_converter(
    model: keras.Model, image_shape: tuple[int, ...], target: Target
) -> tf.lite.TFLiteConverter:
    def call(image: tf.Tensor) -> Any:
        return model(image, training=False)

    serve: Any = tf.function(call, input_signature=[tf.TensorSpec((1, *image_shape), tf.float32)])
    # With the function itself as the object to keep, the converter freezes the variables: its
    # detour through a SavedModel loses them before calibration, and takes twice the time.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], serve
    )
    mode = target.mode
    converter.optimizations = [tf.lite.Optimize[name] for name in mode.optimizations]
    converter.target_spec.supported_ops = [tf.lite.OpsSet[mode.operators]]
    converter.target_spec.supported_types = [tf.as_dtype(name) for name in mode.types]
    return converter


def _in_floats(model: keras.Model, image_shape: tuple[int, ...], target: Target) -> bytes:
    """Convert the floats that an integer file is rounded from."""
    plain = Target(QUANTIZATIONS["none"], "float32", target.output)
    return _make_converter(model, image_shape, plain).convert()


def _with_learned_ranges(
    converter: tf.lite.TFLiteConverter,
    floats: keras.Model,
    image_shape: tuple[int, ...],
    target: Target,
) -> bytes:
    """Convert a model that has learned the ranges of its activations."""
    # If only integer operators were allowed, the converter would insist on images.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    dtype = tf.as_dtype(target.io)
    converter.inference_input_type = converter.inference_output_type = dtype
    with _quiet_converter():
        data = converter.convert()
        source = _in_floats(floats, image_shape, target)
    return _other_kernels(data, source, target, trained=True)


def _quantized(converter: tf.lite.TFLiteConverter, images: np.ndarray, target: Target) -> bytes:
    """Convert, measure the range of every tensor on the images, and quantize."""
    # In two steps, with a look in between: an infinite range would not fail the quantizer but
    # crash the process.
    if target.mode.activation_bits == 16 and images.ndim == _IMAGES:
        images = images.copy()
        images.flat[images.argmax()] = _LARGEST_INT16  # so that a pixel is stored as 128 times it
    with _quiet_converter():
        calibrated = calibrate(converter, images)
    check_ranges(calibrated)
    ready = widen_ranges(calibrated)
    excluded = float_tensors(ready, target.exclude, target.output)
    with _quiet_converter():
        if target.mode.activation_bits == 16:
            data = with_positive_scales(quantize_int16(ready, target.io), ready)
        else:
            data = quantize(ready, target.io, excluded)
    return _other_kernels(data, calibrated, target)


def _other_kernels(data: bytes, source: bytes, target: Target, *, trained: bool = False) -> bytes:
    """Return an integer model with kernels of 4 bits, or one scale for dense ones, if so wanted.

    Args:
        data: the model, as the converter writes it.
        source: the same in floats.
        target: the file that is made.
        trained: whether the model was trained for its kernels.
    """
    by_output = target.dense_per_channel
    if target.mode.weight_bits == 4:
        data = with_int4_kernels(data, source, dense_per_channel=by_output, trained=trained)
        data = data if target.exclude else with_short_names(data)  # which would hide layers
    return data if by_output else with_one_dense_scale(data, source)


@contextmanager
def _quiet_converter() -> Iterator[None]:
    """Keep the converter's own lines away, and make one line of its errors."""
    try:
        with native_log(), warnings.catch_warnings():
            # The converter misses the statistics that the calibration is about to measure.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            yield
    except Exception as error:  # the converter's own errors have no common class
        raise _conversion_error(error) from error


def _conversion_error(error: Exception) -> RuntimeError:
    """Return one line for the converter's many; the caller raises it."""
    missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither a custom op", str(error))))
    if missing:
        return RuntimeError(
            f"TensorFlow Lite has no operator for {', '.join(missing)}; replace the layer that "
            "needs it."
        )
    return RuntimeError(f"TensorFlow Lite cannot convert the model: {one_line(error)}")
