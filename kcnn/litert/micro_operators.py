"""The operators that TensorFlow Lite Micro runs: for which dtypes, and since when.

Each line has an operator and the dtypes of its image with which it runs. "*" stands before the
dtype of a kernel that has another, ">" before that of the output where the operator converts, and
"@" before the oldest tested version if that is not `OLDEST`. A dtype that a line lacks does not
run: TensorFlow Lite Micro refuses it, crashes or computes something else than LiteRT. A line
without dtypes is an operator that TensorFlow Lite Micro does not have.

`tests/test_micro_operators.py` runs a file of one operator for each entry on TensorFlow Lite Micro
of May 2024, June 2024 and of the version that kcnn installs.
"""

from kcnn.litert.schema import Graph, Operator, dtype_name, numbers, tensor_at

OLDEST = "2024-05-07"
"""The oldest TensorFlow Lite Micro that is tested."""

_LINES = """
ABS float32 int16 int8
ADD float32 int16 int32 int8
ADD_N float32
ARG_MAX float32 int8
ARG_MIN float32 int8
AVERAGE_POOL_2D float32 int16 int8
BATCH_MATMUL float32 int16 int8
BATCH_TO_SPACE_ND float32 int8
BROADCAST_TO bool float32 int16 int32 int8
CAST bool>float32 bool>int16 bool>int32 bool>int8 float32>bool@2026-10-23 float32>int16
CAST float32>int32 float32>int8 int16>bool@2026-10-23 int16>float32 int16>int32 int16>int8
CAST int32>bool@2026-10-23 int32>float32 int32>int16 int32>int8 int8>bool@2026-10-23 int8>float32
CAST int8>int16 int8>int32
CEIL float32
CONCATENATION bool float32 int16 int32 int8
CONV_2D float32 int16*int8 int8 int8*int4
COS float32
CUMSUM float32
DEPTHWISE_CONV_2D float32 int16*int8 int8 int8*int4
DEPTH_TO_SPACE float32 int8
DEQUANTIZE int16>float32 int8>float32 uint8>float32
DIV float32 int32 int8@2026-10-23
ELU float32 int8
EQUAL bool float32 int32 int8
EXP float32
EXPAND_DIMS float32 int16@2024-06-18 int8
FILL float32 int32 int8
FLOOR float32
FLOOR_DIV float32
FLOOR_MOD float32
FULLY_CONNECTED float32 int16*int8 int8 int8*int4
GATHER float32 int8
GATHER_ND float32 int8
GELU
GREATER float32 int32 int8
GREATER_EQUAL float32 int32 int8
HARD_SWISH float32 int8
L2_NORMALIZATION float32 int8
L2_POOL_2D float32
LEAKY_RELU float32 int16 int8
LESS float32 int32 int8
LESS_EQUAL float32 int32 int8
LOG float32
LOGICAL_AND bool
LOGICAL_NOT bool
LOGICAL_OR bool
LOGISTIC float32 int16 int8
LOG_SOFTMAX float32 int8
MAXIMUM float32 int16@2026-10-23 int32 int8
MAX_POOL_2D float32 int16 int8
MEAN float32 int16 int8
MINIMUM float32 int16@2026-10-23 int32 int8
MIRROR_PAD float32 int8
MUL float32 int16 int32 int8
NEG float32
NOT_EQUAL bool float32 int32 int8
PACK float32 int16@2026-10-23 int32 int8
PAD float32 int16 int32 int8
PADV2 float32 int16 int32 int8
POW
PRELU float32 int8
QUANTIZE float32>int16 float32>int8 int16>int16 int16>int8 int8>int16 int8>int8 int8>uint8
QUANTIZE uint8>int8
REDUCE_ALL bool@2026-10-23
REDUCE_ANY
REDUCE_MAX float32 int8
REDUCE_MIN float32@2026-10-23 int8@2026-10-23
REDUCE_PROD
RELU float32 int16@2026-10-23 int8
RELU6 float32 int16@2026-10-23 int8
RELU_0_TO_1
RELU_N1_TO_1
RESHAPE bool float32 int16 int32 int8
RESIZE_BILINEAR float32 int8
RESIZE_NEAREST_NEIGHBOR float32 int16 int8
REVERSE_V2 bool@2026-10-23 float32@2026-10-23 int16@2026-10-23 int32@2026-10-23 int8@2026-10-23
ROUND float32
RSQRT float32 int16 int8
SELECT_V2 float32 int16 int8
SHAPE bool float32 int16 int32 int8
SIGN
SIN float32
SLICE bool float32 int16 int32 int8
SOFTMAX float32 int16 int8
SPACE_TO_BATCH_ND float32 int8
SPACE_TO_DEPTH float32 int8
SPLIT float32 int16 int32 int8
SPLIT_V float32 int16 int32 int8
SQRT float32
SQUARE float32
SQUARED_DIFFERENCE float32 int32 int8
SQUEEZE bool float32 int16 int32 int8
STRIDED_SLICE bool float32 int16 int32 int8
SUB float32 int16 int32@2026-10-23 int8
SUM float32 int16 int8
TANH float32 int16 int8
TILE
TRANSPOSE float32 int16@2026-10-23 int8
TRANSPOSE_CONV float32 int16*int8@2024-06-18 int8
UNPACK float32 int16@2026-10-23 int32 int8
ZEROS_LIKE float32 int32
"""

# Where an operator's image is, if it is not the first input; the kernel of these is the second.
_IMAGE = {"SPLIT": 1, "SELECT_V2": 1, "FILL": 1, "TRANSPOSE_CONV": 2}
_WITH_KERNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
_CONVERSIONS = ("CAST", "DEQUANTIZE", "QUANTIZE")


def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in _LINES.strip().splitlines():
        name, *entries = line.split()
        known = table.setdefault(name, {})
        for entry in entries:
            dtypes, _, since = entry.partition("@")
            known[dtypes] = since or OLDEST
    return table


MICRO_OPERATORS = _table()
"""The dates of the oldest tested versions, by operator and then by its dtypes."""


def dtypes_of(graph: Graph, operator: Operator, name: str) -> str:
    """Return the dtypes of an operator as `MICRO_OPERATORS` has them, such as "int16*int8"."""
    places = numbers(operator.inputs)
    image = dtype_name(tensor_at(graph, places[_IMAGE.get(name, 0)]))
    if name in _CONVERSIONS:
        return f"{image}>{dtype_name(tensor_at(graph, numbers(operator.outputs)[0]))}"
    if name in _WITH_KERNEL:
        kernel = dtype_name(tensor_at(graph, places[1]))
        return image if kernel == image else f"{image}*{kernel}"
    return image
