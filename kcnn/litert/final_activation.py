"""Whether a `.tflite` file returns logits or the output of an activation."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kcnn.final_values import (
    DEEPEST,
    LOGITS,
    NOT_KNOWN,
    Values,
    added,
    bounded,
    difference,
    joined,
    limited,
    part,
    product,
    quotient,
    rectified,
)
from kcnn.litert.constants import constant
from kcnn.litert.schema import (
    Model,
    Operator,
    dtype_name,
    fused_activation,
    numbers,
    operator_name,
    parse,
    tables,
    tensor_at,
)

_ACTIVATIONS = {"SOFTMAX": "softmax", "LOG_SOFTMAX": "log_softmax", "LOGISTIC": "sigmoid"}
# Operators that return their input's numbers, in another shape or type.
_PASSING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST")
_PARTS = (
    *("MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "TRANSPOSE"),
    *("SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "GATHER"),
)
_WITH_KERNEL = (
    *("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"),
    *("CONV_3D", "BATCH_MATMUL"),
)
_NUMBERS = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64")

_Join = Callable[[Sequence[Values], Sequence[float]], Values]

_JOINS: Mapping[str, _Join] = {
    "CONCATENATION": lambda parts, constants: NOT_KNOWN if constants else joined(parts),
    "PACK": lambda parts, constants: NOT_KNOWN if constants else joined(parts),
    "ADD": added,
    "ADD_N": added,
    "SUB": difference,
    "MUL": product,
    "DIV": quotient,
    "MINIMUM": limited,
    "MAXIMUM": limited,
}


def final_activation(data: bytes) -> str | None:
    """Return the activation that computes the first output of a verified model.

    Softmax and sigmoid are found also before operators that keep them probabilities: a
    concatenation of sigmoids, a minimum or maximum with a constant, an average.

    Returns:
        "softmax", "log_softmax" or "sigmoid"; None for a model that ends in the logits of a layer
        with a kernel; `kcnn.answers.UNKNOWN` for any other.
    """
    model = parse(data)
    return _Reader(model).values(numbers(tables(model.subgraphs)[0].outputs)[0]).final


class _Reader:
    """A file's main graph, followed from its output backwards."""

    def __init__(self, model: Model) -> None:
        self._model, self._graph = model, tables(model.subgraphs)[0]
        self._found: dict[int, Values] = {}
        self._makers = {
            place: operator
            for operator in tables(self._graph.operators)
            for place in numbers(operator.outputs)
        }

    def values(self, place: int, depth: int = 0) -> Values:
        """Return what the tensor at a place holds."""
        if place not in self._makers or depth > DEEPEST:  # a damaged file may hold a circle
            return NOT_KNOWN
        if place not in self._found:
            self._found[place] = NOT_KNOWN
            self._found[place] = self._made_by(self._makers[place], depth)
        return self._found[place]

    def _made_by(self, operator: Operator, depth: int) -> Values:
        name = operator_name(self._model, operator)
        if name in _ACTIVATIONS:
            return Values(_ACTIVATIONS[name])
        if name in _WITH_KERNEL:
            return _cut(LOGITS, fused_activation(operator))
        places = [place for place in numbers(operator.inputs) if place >= 0]
        constants = [each for each in map(self._constant, places) if each is not None]
        parts = [self.values(place, depth + 1) for place in places if self._constant(place) is None]
        if not parts:
            return NOT_KNOWN
        if name in _PASSING:
            return parts[0]
        if name in _PARTS:
            return part(parts[0])
        if name in _JOINS:
            flat = [float(each) for values in constants for each in values.ravel()]
            return _cut(_JOINS[name](parts, flat), fused_activation(operator))
        return LOGITS if name == "TANH" else _cut(parts[0], name)

    def _constant(self, place: int) -> np.ndarray | None:
        """Return a constant's real numbers, None for a tensor that an operator makes."""
        maker = self._makers.get(place)
        if maker is not None:  # float16 constants are widened first
            widens = operator_name(self._model, maker) == "DEQUANTIZE"
            source = numbers(maker.inputs)[0] if widens else place
            return None if source in self._makers else self._constant(source)
        tensor = tensor_at(self._graph, place)
        dtype, ranges = dtype_name(tensor), tensor.quantization
        values = constant(self._model, tensor, dtype) if dtype in _NUMBERS else None
        if values is None or ranges is None or not numbers(ranges.scale):
            return values
        if len(numbers(ranges.scale)) > 1:
            return np.full(1, np.nan)  # of a kernel's weights, which no rule needs
        return (values.astype(np.float64) - numbers(ranges.zeroPoint)[0]) * numbers(ranges.scale)[0]


def _cut(values: Values, activation: str) -> Values:
    """Return what an activation that cuts values makes of them."""
    if activation == "RELU6":
        return bounded(values, 6.0)
    if activation == "RELU_0_TO_1":
        return limited([values], [0.0, 1.0])
    if activation == "RELU":
        return rectified(values)
    return values if activation == "NONE" else NOT_KNOWN
