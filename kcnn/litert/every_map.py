"""Every layer's output of a `.tflite` model, and the numbers that it is computed from.

The model computes what it did before: the tensors exist already, and become outputs. Those that
store integers are given a DEQUANTIZE each, and an integer input a QUANTIZE, so that all inputs and
outputs are float32.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kcnn.litert.layer_names import STORING, layer_names
from kcnn.litert.loaded import check_classifier
from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    Tensor,
    dtype_name,
    new_operator,
    new_signature,
    new_tensor,
    new_tensor_map,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
    text,
)
from kcnn.litert.structure import damaged
from kcnn.litert.tflite_file import summarize_bytes

QUANTIZE, DEQUANTIZE = ("QUANTIZE", 1), ("DEQUANTIZE", 2)
"""The operators that change how numbers are stored, with the first version that knows int8."""

_CONSTANTS = ("float32", "float16", "int8", "uint8", "int32", "int64", "int4")
# Operators that move or pool activations; the map before them shows the same, finer.
_PASSIVE = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "PADV2", "RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_ABSENT = -1  # stands for an optional input that is not there


@dataclass(frozen=True)
class Constant:
    """Numbers that are part of the model: `scales * (stored - zeros)` along `axis`.

    Attributes:
        offset: of the stored numbers in the model's bytes.
        bytes: how many.
        dtype: of the stored numbers, little-endian; two of int4 are in a byte.
        shape: of the tensor.
        scales: one, one for each index of `axis`, or none for numbers that are not quantized.
        zeros: the zero points, as many as `scales`, or none if all are 0.
        axis: see `scales`.
    """

    offset: int
    bytes: int
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Layer:
    """One operator of the model.

    Attributes:
        kind: what the schema calls it, such as `CONV_2D`.
        name: of the Keras layer that it was made from, as far as the file tells.
        inputs: the number of another layer's `output`, or of the model's input; or a constant.
        output: a number that names it; `map{output}` is the model's output.
        shape: of the output, with the batch of 1.
        options: the numbers among the operator's options, under the schema's names.
        step: `(scale, zero_point)` of an output that stores integers; None for floats.
    """

    kind: str
    name: str
    inputs: tuple[int | Constant, ...]
    output: int
    shape: tuple[int, ...]
    options: dict[str, int | float]
    step: tuple[float, int] | None


@dataclass(frozen=True)
class EveryMap:
    """A model whose layers are outputs.

    Attributes:
        data: its bytes: float32 images of raw pixels in, the outputs `map{output}` of all layers
            out, float32.
        source: the number that stands for the image among the inputs of layers.
        layers: those that are outputs, in the order in which they are computed; the last one's
            output is the model's.
    """

    data: bytes
    source: int
    layers: tuple[Layer, ...]


def with_every_map(data: bytes, path: Path) -> EveryMap:
    """Return a classifier with the output of every layer as an output.

    Args:
        data: a model that `try_model` has opened.
        path: the file, which errors name.

    Raises:
        ValueError: the bytes are damaged, hold no classifier of raw images, or weights of a dtype
            that is not read here.
    """
    return _opened(data, path, lambda editor: editor.operators)


def with_last_maps(data: bytes, path: Path) -> EveryMap:
    """Return a classifier with what a heat map needs as outputs, and in `layers`.

    That is the last feature map and the layers behind it, or every layer if there is no such map.
    A phone then keeps and copies little more than the answer.

    Args and errors as `with_every_map`.
    """
    return _opened(data, path, _Editor.last_operators)


def _opened(data: bytes, path: Path, choose: Callable[["_Editor"], Sequence[Operator]]) -> EveryMap:
    check_classifier(summarize_bytes(data, path))
    try:
        editor = _Editor(parse(data))
        return editor.result(choose(editor), path)
    except (IndexError, TypeError) as error:
        raise damaged(path, error) from error


class _Editor:
    """A model while it is given more outputs."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._graph: Graph = tables(model.subgraphs)[0]
        self.operators = tables(self._graph.operators)
        self._makers = {
            place: operator for operator in self.operators for place in numbers(operator.outputs)
        }
        self._source = numbers(self._graph.inputs)[0]

    def last_operators(self) -> list[Operator]:
        """Return the operator of the last feature map, and those behind it."""
        found: set[int] = set()
        waiting = [*numbers(self._graph.outputs)]
        while waiting:
            place = waiting.pop()
            if place not in self._makers or place in found:
                continue
            found.add(place)
            operator, shape = self._makers[place], numbers(tensor_at(self._graph, place).shape)
            is_map = len(shape) == 4 and shape[1] * shape[2] > 1
            if not is_map or self._name(operator) in (*_PASSIVE, *STORING):
                waiting += numbers(operator.inputs)
        return [each for each in self.operators if _output(each) in found]

    def result(self, operators: Sequence[Operator], path: Path) -> EveryMap:
        """Change the model and describe it, with these operators' outputs as its outputs."""
        shown = [each for each in operators if self._name(each) not in STORING]
        if not shown:
            raise ValueError(f"{path} computes nothing.")
        targets = {place: self._as_float(place) for place in map(_output, shown)}
        entry = self._float_input()
        self._graph.operators = self.operators
        self._graph.inputs, self._graph.outputs = [entry], [*targets.values()]
        outputs = [new_tensor_map(f"map{place}", index) for place, index in targets.items()]
        self._model.signatureDefs = [
            new_signature("serving_default", [new_tensor_map("image", entry)], outputs)
        ]
        data = serialize(self._model)
        layers = tuple(self._layer(each, data, path) for each in shown)
        return EveryMap(data, self._source, layers)

    def _name(self, operator: Operator) -> str:
        return operator_name(self._model, operator)

    def _add(self, tensor: Tensor) -> int:
        self._graph.tensors = [*tables(self._graph.tensors), tensor]
        return len(self._graph.tensors) - 1

    def _as_float(self, place: int) -> int:
        tensor = tensor_at(self._graph, place)
        if dtype_name(tensor) == "float32":
            return place
        target = self._add(new_tensor(f"map{place}", numbers(tensor.shape)))
        self.operators.append(new_operator(self._model, *DEQUANTIZE, place, target))
        return target

    def _float_input(self) -> int:
        tensor = tensor_at(self._graph, self._source)
        if dtype_name(tensor) == "float32":
            return self._source
        entry = self._add(new_tensor("image", numbers(tensor.shape)))
        reading = new_operator(self._model, *QUANTIZE, entry, self._source)
        self.operators.insert(0, reading)
        return entry

    def _layer(self, operator: Operator, data: bytes, path: Path) -> Layer:
        place = _output(operator)
        tensor = tensor_at(self._graph, place)
        ranges = tensor.quantization
        scales = numbers(ranges.scale) if ranges else []
        step = (scales[0], [*numbers(ranges.zeroPoint), 0][0]) if ranges and scales else None
        given = [each for each in numbers(operator.inputs) if each != _ABSENT]
        return Layer(
            kind=self._name(operator),
            name=layer_names(text(tensor.name))[0],
            inputs=tuple(self._input(each, data, path) for each in given),
            output=place,
            shape=tuple(numbers(tensor.shape)),
            options=dict(_options(operator)),
            step=step,
        )

    def _input(self, place: int, data: bytes, path: Path) -> int | Constant:
        """Return what an operator reads, behind operators that only change how it is stored."""
        while place in self._makers and place != self._source:
            maker = self._makers[place]
            if self._name(maker) not in STORING:
                return place
            place = numbers(maker.inputs)[0]
        return place if place == self._source else self._constant(place, data, path)

    def _constant(self, place: int, data: bytes, path: Path) -> Constant:
        tensor = tensor_at(self._graph, place)
        dtype, ranges = dtype_name(tensor), tensor.quantization
        stored = tables(self._model.buffers)[tensor.buffer].data
        if dtype not in _CONSTANTS or stored is None:
            raise ValueError(f"{path} has {dtype} constants that kcnn does not read.")
        content = bytes(bytearray(stored))
        return Constant(
            offset=data.index(content),  # wherever these bytes stand, they are the same
            bytes=len(content),
            dtype=dtype,
            shape=tuple(numbers(tensor.shape)),
            scales=tuple(numbers(ranges.scale)) if ranges else (),
            zeros=tuple(numbers(ranges.zeroPoint)) if ranges else (),
            axis=ranges.quantizedDimension if ranges else 0,
        )


def _output(operator: Operator) -> int:
    return numbers(operator.outputs)[0]


def _options(operator: Operator) -> Iterator[tuple[str, int | float]]:
    for name, value in ({} if (known := operator.builtinOptions) is None else vars(known)).items():
        if isinstance(value, int | float):
            yield name, value
