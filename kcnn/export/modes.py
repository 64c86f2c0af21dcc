"""The ways to store a model's numbers in a `.tflite` file. A new way is a new row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Quantization:
    """The settings of the TensorFlow Lite converter for one way of storing numbers.

    Attributes:
        operators: the name in `tf.lite.OpsSet` of the operators that may be used.
        optimizations: names in `tf.lite.Optimize`.
        types: names in `tf` of the types that constants may be stored in.
        calibrated: ranges are measured on images, and no float tensor may be left between the input
            and the output of the model.
        weight_bits: of a number in most kernels of an integer model.
        activation_bits: of a number between its operators.
        io: dtypes of the input and the output that the file can have, the default first.
    """

    operators: str = "TFLITE_BUILTINS"
    optimizations: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    calibrated: bool = False
    weight_bits: int = 8
    activation_bits: int = 8
    io: tuple[str, ...] = ("float32",)

    @property
    def integer_kernels(self) -> bool:
        """Whether kernels are stored as integers."""
        return bool(self.optimizations) and not self.types


@dataclass(frozen=True)
class Target:
    """The file that a conversion makes.

    Attributes:
        mode: how its numbers are stored.
        io: the dtype of its input and output.
        output: the name of its output.
        dense_per_channel: whether the int8 kernel of a dense layer has a scale for each output, or
            one for all.
        exclude: names of layers that compute in float32.
    """

    mode: Quantization
    io: str
    output: str
    dense_per_channel: bool = False
    exclude: tuple[str, ...] = ()


_INT8 = Quantization(
    "TFLITE_BUILTINS_INT8", ("DEFAULT",), calibrated=True, io=("int8", "uint8", "float32")
)
_INT16 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"

QUANTIZATIONS: Mapping[str, Quantization] = MappingProxyType(
    {
        "int8": _INT8,
        "int4": replace(_INT8, weight_bits=4),
        "int16x8": replace(_INT8, operators=_INT16, activation_bits=16, io=("int16", "float32")),
        "dynamic": Quantization(optimizations=("DEFAULT",)),
        "float16": Quantization(optimizations=("DEFAULT",), types=("float16",)),
        "none": Quantization(),
    }
)
"""The ways by their names; see `kcnn.export_tflite`."""
