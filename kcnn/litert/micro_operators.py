"""The operators that TensorFlow Lite Micro runs: for which dtypes, and since when.

`micro_operators.json` has, for each operator, the dtypes of its image with which it runs, and the
date of the oldest tested version that does. The dtype of a kernel stands behind that of the image
if it is another one, and so does that of the output of an operator that converts. A dtype that an
operator lacks does not run: TensorFlow Lite Micro refuses it, crashes or computes something else
than LiteRT. An operator without dtypes is one that TensorFlow Lite Micro does not have.

`tests/test_micro_operators.py` runs a file of one operator for each entry on TensorFlow Lite Micro
of May 2024, June 2024 and of the version that kcnn installs.
"""

import json
from pathlib import Path

from kcnn.litert.schema import Graph, Operator, dtype_name, numbers, tensor_at

OLDEST = "2024-05-07"
"""The oldest TensorFlow Lite Micro that is tested."""

# Where an operator's image is, if it is not the first input; the kernel of these is the second.
_IMAGE = {"SPLIT": 1, "SELECT_V2": 1, "FILL": 1, "TRANSPOSE_CONV": 2}
_WITH_KERNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
CONVERSIONS = ("CAST", "DEQUANTIZE", "QUANTIZE")

MICRO_OPERATORS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("micro_operators.json").read_text(encoding="utf-8")
)
"""The dates of the oldest tested versions, by operator and then by its dtypes."""


def dtypes_of(graph: Graph, operator: Operator, name: str) -> str:
    """Return the dtypes of an operator as the table has them: "int8", "int16 with int8 kernels"."""
    places = numbers(operator.inputs)
    image = dtype_name(tensor_at(graph, places[_IMAGE.get(name, 0)]))
    if name in CONVERSIONS:
        return f"{image} to {dtype_name(tensor_at(graph, numbers(operator.outputs)[0]))}"
    if name in _WITH_KERNEL:
        kernel = dtype_name(tensor_at(graph, places[1]))
        return image if kernel == image else f"{image} with {kernel} kernels"
    return image
