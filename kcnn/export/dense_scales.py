"""One scale for the kernel of each dense layer of an int8 file.

TensorFlow's converter gives such a kernel one scale for each output, as it does for a convolution.
The operator has the same version as before, so that a runtime that does not know of the scales runs
the file and answers wrongly: TensorFlow Lite Micro of May 2024, phones of earlier years and NNAPI.
With one scale for the whole kernel, every runtime answers alike.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from kcnn.litert.constants import constant, scales_of
from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    new_buffer,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
)

# A kernel [outputs, inputs] and its bias [outputs], None without one.
Weights: TypeAlias = tuple[np.ndarray, np.ndarray | None]

_LARGEST = 127
# By how many steps more than one half a float weight may differ from its stored number.
_ROUNDING = 0.01


def with_one_dense_scale(data: bytes, source: bytes) -> bytes:
    """Return an int8 model whose dense kernels have one scale each.

    Kernels and biases are rounded from the floats that they come from, not from the numbers that
    the converter has rounded already. Where the floats are not found, the rounded numbers are used.

    Args:
        data: the int8 model.
        source: the same model in floats, as the converter writes it.
    """
    model = parse(data)
    found = [*_kernels_with_many_scales(model)]
    if not found:
        return data
    originals = [*_float_weights(parse(source))]
    for dense in found:
        _requantize(model, dense, originals)
    return serialize(model)


@dataclass(frozen=True)
class _Dense:
    """A dense layer of an int8 model, as the converter wrote it."""

    graph: Graph
    operator: Operator
    stored: np.ndarray  # int8 [outputs, inputs]
    scales: np.ndarray  # float64 [outputs]
    input_scale: float
    bias: np.ndarray | None  # float64 [outputs]: real numbers


def _kernels_with_many_scales(model: Model) -> Iterator[_Dense]:
    for graph, operator in _dense_operators(model):
        places = numbers(operator.inputs)
        kernel, source = tensor_at(graph, places[1]), tensor_at(graph, places[0])
        scales, stored = scales_of(kernel), constant(model, kernel, "int8")
        if len(scales) < 2 or stored is None or len(scales_of(source)) != 1:
            continue
        bias = constant(model, tensor_at(graph, places[2]), "int32") if _has_bias(places) else None
        input_scale = float(scales_of(source)[0])
        real = None if bias is None else bias * (input_scale * scales)
        yield _Dense(graph, operator, stored, scales, input_scale, real)


def _float_weights(model: Model) -> Iterator[Weights]:
    for graph, operator in _dense_operators(model):
        places = numbers(operator.inputs)
        kernel = constant(model, tensor_at(graph, places[1]), "float32")
        if kernel is not None:
            bias = _has_bias(places) and constant(model, tensor_at(graph, places[2]), "float32")
            yield kernel, bias if isinstance(bias, np.ndarray) else None


def _dense_operators(model: Model) -> Iterator[tuple[Graph, Operator]]:
    for graph in tables(model.subgraphs):
        for operator in tables(graph.operators):
            if operator_name(model, operator) == "FULLY_CONNECTED":
                yield graph, operator


def _has_bias(places: list[int]) -> bool:
    return len(places) > 2 and places[2] >= 0


def _requantize(model: Model, dense: _Dense, originals: list[Weights]) -> None:
    """Give a dense layer one scale, and its bias the scale that follows from it."""
    kernel, bias = _original(dense, originals)
    largest = float(np.abs(kernel).max())
    scale = np.float32(largest / _LARGEST if largest else dense.scales.max())
    stored = np.clip(np.rint(kernel / np.float64(scale)), -_LARGEST, _LARGEST)
    _store(model, dense, 1, stored.astype("<i1"), scale)
    if bias is not None:
        bias_scale = np.float32(dense.input_scale) * scale
        limits = np.iinfo(np.int32)
        sums = np.clip(np.rint(bias / np.float64(bias_scale)), limits.min, limits.max)
        _store(model, dense, 2, sums.astype("<i4"), bias_scale)


def _original(dense: _Dense, originals: list[Weights]) -> Weights:
    """Return the float weights that a dense layer's int8 weights were rounded from."""
    steps = dense.scales[:, None]
    for kernel, bias in originals:
        if kernel.shape != dense.stored.shape:
            continue
        if (np.abs(kernel - dense.stored * steps) <= (0.5 + _ROUNDING) * steps).all():
            known = bias is not None and dense.bias is not None
            return kernel.astype(np.float64), bias if known else dense.bias
    return dense.stored * steps, dense.bias


def _store(model: Model, dense: _Dense, place: int, values: np.ndarray, scale: np.float32) -> None:
    """Give an operator's input other numbers; a tensor or buffer that others use too is copied."""
    places = numbers(dense.operator.inputs)
    tensor, all_tensors = tensor_at(dense.graph, places[place]), tables(dense.graph.tensors)
    if _count_readers(dense.graph)[places[place]] > 1:
        tensor = copy.deepcopy(tensor)
        places[place] = len(all_tensors)
        dense.operator.inputs = places
        dense.graph.tensors = [*all_tensors, tensor]
    ranges: Any = tensor.quantization
    ranges.scale, ranges.zeroPoint, ranges.quantizedDimension = [float(scale)], [0], 0
    ranges.min = ranges.max = None
    buffers = tables(model.buffers)
    users = sum(
        each.buffer == tensor.buffer
        for graph in tables(model.subgraphs)
        for each in tables(graph.tensors)
    )
    if users > 1:
        model.buffers = [*buffers, new_buffer(values.tobytes())]
        tensor.buffer = len(buffers)
    else:
        buffers[tensor.buffer].data = values.tobytes()


def _count_readers(graph: Graph) -> Counter[int]:
    return Counter(
        place for operator in tables(graph.operators) for place in numbers(operator.inputs)
    )
