"""The integer kernels of a `.tflite` model: find them with their floats, and store others."""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from kcnn.litert.constants import constant, scales_of
from kcnn.litert.operators import every_operator, every_tensor
from kcnn.litert.schema import (
    INT4,
    Graph,
    Model,
    Operator,
    dtype_name,
    new_buffer,
    numbers,
    tables,
    tensor_at,
)

# A kernel in the file's layout and its bias [outputs], None without one.
Weights: TypeAlias = tuple[np.ndarray, np.ndarray | None]

DENSE = "FULLY_CONNECTED"
AXES = {"CONV_2D": 0, DENSE: 0, "DEPTHWISE_CONV_2D": 3}
"""The axis of the outputs in the kernel of each operator."""

# By how many steps more than one half a float weight may differ from its stored number.
_ROUNDING = 0.01
# By which part of itself float32 may round a bias.
_FLOAT32 = 1e-6


@dataclass(frozen=True)
class StoredKernel:
    """The kernel of an operator, as the converter stored it.

    Attributes:
        graph: of the operator.
        operator: that reads the kernel.
        kind: of the operator, a key of `AXES`.
        stored: int8 numbers.
        scales: float64, one for all or one for each output.
        input_scale: of what the operator reads besides; None where that is floats, as in a file
            with quantization "dynamic", whose biases are floats, too, and stay as they are.
        bias: real numbers, float64 [outputs]; None without one.
    """

    graph: Graph
    operator: Operator
    kind: str
    stored: np.ndarray
    scales: np.ndarray
    input_scale: float | None
    bias: np.ndarray | None

    @property
    def steps(self) -> np.ndarray:
        """The scales, in a shape that fits the kernel."""
        return along(self.scales, self.stored.ndim, AXES[self.kind])


def along(scales: np.ndarray, axes: int, axis: int) -> np.ndarray:
    """Return scales in a shape that fits a kernel of so many axes, along one of them."""
    return scales.reshape([-1 if place == axis else 1 for place in range(axes)])


def kernel_operators(
    model: Model, kinds: Sequence[str] = tuple(AXES)
) -> Iterator[tuple[Graph, Operator, str]]:
    """Return the graph, the operator and the kind of a model's operators that have kernels."""
    return (each for each in every_operator(model) if each[2] in kinds)


def find_kernels(model: Model, kinds: Sequence[str] = tuple(AXES)) -> Iterator[StoredKernel]:
    """Yield the int8 kernels of a model's operators, in the order in which they are computed."""
    for graph, operator, kind in kernel_operators(model, kinds):
        places = numbers(operator.inputs)
        kernel, source = tensor_at(graph, places[1]), tensor_at(graph, places[0])
        scales, stored = scales_of(kernel), constant(model, kernel, "int8")
        read = scales_of(source)
        if not len(scales) or stored is None or len(read) > 1:
            continue
        input_scale, bias = (float(read[0]) if len(read) else None), None
        if _has_bias(places) and input_scale is not None:
            tensor = tensor_at(graph, places[2])
            sums = constant(model, tensor, dtype_name(tensor))
            bias = None if sums is None else sums * (input_scale * scales)
        yield StoredKernel(graph, operator, kind, stored, scales, input_scale, bias)


def float_weights(model: Model) -> list[Weights]:
    """Return the float32 kernels and biases of a model's operators."""
    found = []
    for graph, operator, _ in kernel_operators(model):
        places = numbers(operator.inputs)
        kernel = constant(model, tensor_at(graph, places[1]), "float32")
        if kernel is not None:
            bias = _has_bias(places) and constant(model, tensor_at(graph, places[2]), "float32")
            found.append((kernel, bias if isinstance(bias, np.ndarray) else None))
    return found


def original(kernel: StoredKernel, originals: Sequence[Weights]) -> Weights:
    """Return the float weights that stored ones were rounded from.

    The rounded numbers stand for them if they are not among `originals`. Layers with equal kernels
    are told apart by their biases.
    """
    steps, found = kernel.steps, kernel.stored * kernel.steps
    for floats, bias in originals:
        if floats.shape != kernel.stored.shape:
            continue
        if (np.abs(floats - kernel.stored * steps) <= (0.5 + _ROUNDING) * steps).all():
            found = floats.astype(np.float64)
            if bias is not None and kernel.bias is not None and _is_bias(kernel, bias):
                return found, bias
    return found, kernel.bias


def _is_bias(kernel: StoredKernel, bias: np.ndarray) -> bool:
    """Return whether an operator's stored bias was rounded from a float bias."""
    steps = (kernel.input_scale or 0.0) * kernel.scales
    return bool((np.abs(bias - kernel.bias) <= steps + _FLOAT32 * np.abs(bias)).all())


def store(
    model: Model, kernel: StoredKernel, weights: Weights, scales: np.ndarray, bits: int
) -> None:
    """Round float weights to other scales, and store them in place of an operator's own.

    Args:
        model: that is changed.
        kernel: the operator's own.
        weights: floats.
        scales: float32, one for all or one for each output.
        bits: of a stored number, 8 or 4.
    """
    floats, bias = weights
    largest = 2 ** (bits - 1) - 1
    steps = along(scales.astype(np.float64), floats.ndim, AXES[kernel.kind])
    rounded = np.clip(np.rint(floats / steps), -largest, largest).astype("<i1")
    _store(model, kernel, 1, pack(rounded) if bits == 4 else rounded.tobytes(), scales)
    if bits == 4:
        tensor_at(kernel.graph, numbers(kernel.operator.inputs)[1]).type = INT4
    if bias is None:
        return
    bias_scales = np.float32(kernel.input_scale or 0.0) * scales
    tensor = tensor_at(kernel.graph, numbers(kernel.operator.inputs)[2])
    limits = np.iinfo(dtype_name(tensor))
    sums = np.clip(np.rint(bias / bias_scales.astype(np.float64)), limits.min, limits.max)
    _store(model, kernel, 2, sums.astype(limits.dtype.newbyteorder("<")).tobytes(), bias_scales)


def pack(values: np.ndarray) -> bytes:
    """Return numbers of 4 bits, two in each byte, the first in its lower half.

    >>> pack(np.array([1, -1, 7], np.int8)).hex()
    'f107'
    """
    halves = values.reshape(-1).astype(np.uint8) & 15
    halves = np.append(halves, np.zeros(len(halves) % 2, np.uint8))
    return (halves[0::2] | halves[1::2] << 4).tobytes()


def _has_bias(places: list[int]) -> bool:
    return len(places) > 2 and places[2] >= 0


def _store(
    model: Model, kernel: StoredKernel, place: int, content: bytes, scales: np.ndarray
) -> None:
    """Give an operator's input other numbers; a tensor or buffer that others use too is copied."""
    places, graph = numbers(kernel.operator.inputs), kernel.graph
    tensor, all_tensors = tensor_at(graph, places[place]), tables(graph.tensors)
    if _count_readers(graph)[places[place]] > 1:
        tensor = copy.deepcopy(tensor)
        places[place] = len(all_tensors)
        kernel.operator.inputs = places
        graph.tensors = [*all_tensors, tensor]
    ranges: Any = tensor.quantization
    ranges.scale, ranges.zeroPoint = scales.tolist(), [0] * len(scales)
    ranges.quantizedDimension = AXES[kernel.kind] if place == 1 and len(scales) > 1 else 0
    ranges.min = ranges.max = None
    buffers = tables(model.buffers)
    if sum(each.buffer == tensor.buffer for each in every_tensor(model)) > 1:
        model.buffers = [*buffers, new_buffer(content)]
        tensor.buffer = len(buffers)
    else:
        buffers[tensor.buffer].data = content


def _count_readers(graph: Graph) -> Counter[int]:
    return Counter(
        place for operator in tables(graph.operators) for place in numbers(operator.inputs)
    )
