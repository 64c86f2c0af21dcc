"""The ways to store a model's numbers in a `.tflite` file. A new way is a new row."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

IO = ("int8", "uint8", "float32")
"""Dtypes of the input and the output that the file of an integer model can have."""


@dataclass(frozen=True)
class Quantization:
    """The settings of the TensorFlow Lite converter for one way of storing numbers.

    Attributes:
        operators: the name in `tf.lite.OpsSet` of the operators that may be used.
        optimizations: names in `tf.lite.Optimize`.
        types: names in `tf` of the types that constants may be stored in.
        calibrated: ranges are measured on images, and no float tensor may be left between the input
            and the output of the model.
    """

    operators: str = "TFLITE_BUILTINS"
    optimizations: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    calibrated: bool = False


@dataclass(frozen=True)
class Target:
    """The file that a conversion makes.

    Attributes:
        mode: how its numbers are stored.
        io: the dtype of its input and output.
        output: the name of its output.
        dense_per_channel: whether the int8 kernel of a dense layer has a scale for each output, or
            one for all.
        keep_slices: whether the groups of a grouped convolution stay convolutions of slices.
    """

    mode: Quantization
    io: str
    output: str
    dense_per_channel: bool = False
    keep_slices: bool = False


QUANTIZATIONS: Mapping[str, Quantization] = MappingProxyType(
    {
        "int8": Quantization("TFLITE_BUILTINS_INT8", ("DEFAULT",), calibrated=True),
        "dynamic": Quantization(optimizations=("DEFAULT",)),
        "float16": Quantization(optimizations=("DEFAULT",), types=("float16",)),
        "none": Quantization(),
    }
)
"""The ways by their names; see `kcnn.export_tflite`."""
