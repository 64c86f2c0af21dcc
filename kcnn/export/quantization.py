"""The ways to store a model's numbers. A new way is a new row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantization:
    """What the TensorFlow Lite converter is told for one way of storing numbers.

    Attributes:
        dtype: of the image that goes in and of the logits that come out.
        operators: the name in `tf.lite.OpsSet` of the operators that may be used.
        optimizations: names in `tf.lite.Optimize`.
        calibrated: whether ranges are measured on images; then no float tensor may be left.
    """

    dtype: str
    operators: str
    optimizations: tuple[str, ...] = ()
    calibrated: bool = False


QUANTIZATIONS = {
    "int8": Quantization("int8", "TFLITE_BUILTINS_INT8", ("DEFAULT",), calibrated=True),
    "none": Quantization("float32", "TFLITE_BUILTINS"),
}
