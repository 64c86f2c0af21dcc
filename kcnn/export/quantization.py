"""The ways to store a model's numbers. A new way is a new row."""

from dataclasses import dataclass

IO = ("int8", "uint8", "float32")
"""What the file of an integer model can take and give: see `kcnn.export_tflite`."""


@dataclass(frozen=True)
class Quantization:
    """What the TensorFlow Lite converter is told for one way of storing numbers.

    Attributes:
        operators: the name in `tf.lite.OpsSet` of the operators that may be used.
        optimizations: names in `tf.lite.Optimize`.
        types: names in `tf` of the types that constants may be stored in.
        calibrated: whether ranges are measured on images; then no float tensor may be left
            between the ends of the model.
    """

    operators: str = "TFLITE_BUILTINS"
    optimizations: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    calibrated: bool = False


QUANTIZATIONS = {
    "int8": Quantization("TFLITE_BUILTINS_INT8", ("DEFAULT",), calibrated=True),
    "dynamic": Quantization(optimizations=("DEFAULT",)),
    "float16": Quantization(optimizations=("DEFAULT",), types=("float16",)),
    "none": Quantization(),
}
