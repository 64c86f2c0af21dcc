"""The operators of an int8 `.tflite` file, with their constants as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    dtype_name,
    numbers,
    operator_name,
    parse,
    tables,
    tensor_at,
    text,
)

_CONSTANTS = {"int8": "<i1", "int32": "<i4", "int64": "<i8", "float32": "<f4"}
_STORED = ("int8", "uint8")


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        place: among the graph's tensors.
        name: of the tensor in the file.
        shape: with the batch dimension, which is 1.
        dtype: `"int8"`, `"int32"`, ...
        scales: float32, one or one per channel; empty if the tensor is not quantized.
        zero_point: of the first channel.
        data: the numbers of a constant; None for what an operator or the app writes.
    """

    place: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_point: int
    data: np.ndarray | None

    @property
    def scale(self) -> float:
        """The one scale of an activation, a float32 as Python's float."""
        return float(self.scales[0])

    @property
    def size(self) -> int:
        """Elements, which are bytes for an activation."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Step:
    """An operator.

    Attributes:
        index: in the order of execution.
        operator: as the schema names it.
        inputs: None for an optional one that is not there.
        output: what it writes.
        options: of the schema's class for this operator.
    """

    index: int
    operator: str
    inputs: tuple[Value | None, ...]
    output: Value
    options: Any

    def read(self, place: int) -> Value | None:
        """Return an input, None if the operator has none in that place."""
        return self.inputs[place] if place < len(self.inputs) else None

    @property
    def source(self) -> Value:
        """The first input."""
        (first, *_) = self.inputs
        assert first is not None  # noqa: S101 - read_network has checked it
        return first


@dataclass(frozen=True)
class Network:
    """A whole model from one image to one output."""

    source: Value
    target: Value
    steps: tuple[Step, ...]


def read_network(data: bytes, path: Path) -> Network:
    """Return the operators of a verified file.

    Args:
        data: the bytes of the file.
        path: the file, which errors name.

    Raises:
        ValueError: the file has several inputs, outputs or batches, or computes with other numbers
            than int8.
    """
    model = parse(data)
    graph = tables(model.subgraphs)[0]
    inputs, outputs = numbers(graph.inputs), numbers(graph.outputs)
    graphs = len(tables(model.subgraphs))
    if graphs != 1 or len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"Plain C takes a file with one graph, one input and one output. Received: {path} with "
            f"{graphs} graph(s), {len(inputs)} input(s) and {len(outputs)} output(s)."
        )
    values = {place: _value(model, graph, place) for place in range(len(tables(graph.tensors)))}
    steps = tuple(
        _step(model, operator, index, values)
        for index, operator in enumerate(tables(graph.operators))
    )
    network = Network(values[inputs[0]], values[outputs[0]], steps)
    _check(network, path)
    return network


def _value(model: Model, graph: Graph, place: int) -> Value:
    tensor = tensor_at(graph, place)
    ranges, stored = tensor.quantization, tables(model.buffers)[tensor.buffer].data
    dtype, shape = dtype_name(tensor), tuple(numbers(tensor.shape))
    zeros = numbers(ranges.zeroPoint) if ranges else []
    data = None
    if stored is not None and len(stored) and dtype in _CONSTANTS:
        data = np.frombuffer(bytes(stored), _CONSTANTS[dtype]).reshape(shape)
    return Value(
        place,
        text(tensor.name),
        shape,
        dtype,
        np.array(numbers(ranges.scale) if ranges else [], np.float32),
        zeros[0] if zeros else 0,
        data,
    )


def _step(model: Model, operator: Operator, index: int, values: dict[int, Value]) -> Step:
    places = numbers(operator.inputs)
    return Step(
        index,
        operator_name(model, operator),
        tuple(values[place] if place >= 0 else None for place in places),
        values[numbers(operator.outputs)[0]],
        operator.builtinOptions,
    )


def _check(network: Network, path: Path) -> None:
    for step in network.steps:
        written = step.output
        known = len(step.inputs) > 0 and step.inputs[0] is not None
        if not known or written.dtype not in _STORED or len(written.scales) != 1:
            raise ValueError(
                f"Plain C computes with int8 from input to output. Received: {path}, whose "
                f"{step.operator} writes {written.dtype} {written.name[:60]!r}. {_remedy(written)}"
            )
    for value in (network.source, network.target):
        if value.dtype not in _STORED or len(value.scales) != 1:
            raise ValueError(
                f"Plain C takes and returns int8 or uint8. Received: {path}, whose "
                f"{value.name[:60]!r} is {value.dtype}. Export it with io int8."
            )
        if not value.shape or value.shape[0] != 1:
            raise ValueError(f"Plain C computes one image at a time. Received: {value.shape}.")


def _remedy(written: Value) -> str:
    if written.dtype == "float32":
        return "Export the model with quantization int8."
    return "Plain C has no code for it: run the .tflite file in an interpreter."
