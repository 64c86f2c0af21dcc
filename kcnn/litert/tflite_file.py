"""What a `.tflite` file holds, read with LiteRT alone: no TensorFlow is imported."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from kcnn.errors import one_line
from kcnn.litert.activations import BYTES
from kcnn.litert.labels import read_labels
from kcnn.litert.native_log import native_log

_IDENTIFIER = b"TFL3"
# Far above any classifier's, in numbers or bytes; what asks for more has a damaged shape.
_LARGEST_TENSOR, _LARGEST_SUM, _LARGEST_FILE = 2**28, 2**32, 2**30
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class TensorSummary:
    """A tensor: a real value is `scale * (stored - zero_point)`.

    Both are None for a tensor that is not quantised, or that is quantised per channel.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class TFLiteSummary:
    """What is in a `.tflite` file.

    Attributes:
        path: the file.
        bytes: its size.
        quantization: `"int8"` if no tensor holds floats, `"none"` if no number is stored in
            fewer than 32 bits, `"mixed"` for anything between.
        inputs: what goes in; for an int8 image `scale` 1.0 and `zero_point` -128.
        outputs: what comes out.
        operators: the count of each operator, such as `CONV_2D`; one that is not built into
            LiteRT is called `CUSTOM` and its own name.
        tensor_dtypes: the count of each dtype among all tensors, weights included.
        labels: the class names, empty if the file has none.
    """

    path: Path
    bytes: int
    quantization: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    operators: Mapping[str, int]
    tensor_dtypes: Mapping[str, int]
    labels: tuple[str, ...]


def summarize(path: str | os.PathLike) -> TFLiteSummary:
    """Read what a `.tflite` file holds, without running it.

    Raises:
        ValueError: there is no such file, or it is not a whole TensorFlow Lite model.
    """
    path = Path(path)
    return summarize_bytes(read_tflite(path), path)


def read_tflite(path: Path) -> bytes:
    """Return the bytes of a file that looks like a TensorFlow Lite model.

    Raises:
        ValueError: there is no such file, or it is something else, or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from error
    if len(data) > _LARGEST_FILE:
        raise ValueError(f"{path} has more than {_LARGEST_FILE:,} bytes.")
    if data[4:8] != _IDENTIFIER:
        size = f"{len(data)} bytes, no TFL3 mark"
        raise ValueError(f"{path} is not a TensorFlow Lite model ({size}).")
    return data


def open_interpreter(data: bytes, path: Path) -> Interpreter:
    """Verify a model's bytes and return LiteRT's interpreter for them, on one thread.

    Never from a path: given the bytes, LiteRT checks every offset in them before it follows one.

    Raises:
        ValueError: the bytes are not a whole model, or hold an operator unknown to LiteRT.
    """
    try:
        with native_log():
            return Interpreter(model_content=data, num_threads=1)
    except (ValueError, RuntimeError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> ValueError:
    """Return, not raise, the one-line error for a model that LiteRT or a reader refuses."""
    return ValueError(f"{path} is damaged, or no model LiteRT can run: {one_line(error)}")


def summarize_bytes(data: bytes, path: Path) -> TFLiteSummary:
    """Read what the bytes of a model hold; `path` is for the summary and the errors.

    Raises:
        ValueError: the bytes are not a whole model.
    """
    open_interpreter(data, path)
    try:
        labels = read_labels(data)
    except ValueError as error:
        raise damaged(path, error) from error
    model = schema.Model.GetRootAs(data)
    try:
        _check_sizes(model, path)
        _check_weights(model, path)
        return _summary(model, path, data, labels)
    except ValueError:
        raise
    except Exception as error:  # LiteRT does not check the numbers by which tensors are named
        raise damaged(path, error) from error


def _summary(
    model: schema.Model, path: Path, data: bytes, labels: tuple[str, ...]
) -> TFLiteSummary:
    main, names = model.Subgraphs(0), _signature_names(model)
    dtypes = Counter(_dtype(tensor) for tensor in _tensors(model))
    return TFLiteSummary(
        path=path,
        bytes=len(data),
        quantization=_quantization(set(dtypes)),
        inputs=tuple(_tensor(main, main.Inputs(i), names) for i in range(main.InputsLength())),
        outputs=tuple(_tensor(main, main.Outputs(i), names) for i in range(main.OutputsLength())),
        operators=dict(Counter(name for name, _ in operators(data))),
        tensor_dtypes=dict(dtypes),
        labels=labels,
    )


def operators(data: bytes) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of every operator of a verified model, and the dtypes it reads and writes."""
    model = schema.Model.GetRootAs(data)
    for graph in _graphs(model):
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
            used = [operator.Inputs(i) for i in range(operator.InputsLength())]
            used += [operator.Outputs(i) for i in range(operator.OutputsLength())]
            # -1 stands for an optional input that is not there.
            yield _operator(model, operator), {_dtype(graph.Tensors(i)) for i in used if i >= 0}


def _graphs(model: schema.Model) -> list[schema.SubGraph]:
    return [model.Subgraphs(index) for index in range(model.SubgraphsLength())]


def _tensors(model: schema.Model) -> Iterator[schema.Tensor]:
    for graph in _graphs(model):
        yield from (graph.Tensors(index) for index in range(graph.TensorsLength()))


def _shape(tensor: schema.Tensor) -> tuple[int, ...]:
    return tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))


def _check_sizes(model: schema.Model, path: Path) -> None:
    """Check shapes, which LiteRT believes: a wrong one takes all memory and ends the process."""
    total = 0
    for tensor in _tensors(model):
        if (count := math.prod(map(abs, _shape(tensor)))) > _LARGEST_TENSOR:
            raise damaged(path, ValueError(f"a tensor of shape {_shape(tensor)}"))
        total += count * BYTES.get(tensor.Type(), 4)
    if total > _LARGEST_SUM:
        raise damaged(path, ValueError(f"{total:,} bytes of tensors"))


def _check_weights(model: schema.Model, path: Path) -> None:
    """Check that operators have their image and weights, without which LiteRT would crash."""
    for graph in _graphs(model):
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
            name = _operator(model, operator)
            given = [operator.Inputs(place) for place in range(min(operator.InputsLength(), 2))]
            if name in _WEIGHTED and (len(given) < 2 or min(given) < 0):
                raise damaged(path, ValueError(f"{name} without weights"))


def _quantization(dtypes: set[str]) -> str:
    if not any("float" in dtype for dtype in dtypes):
        return "int8" if "int8" in dtypes else "mixed"
    return "none" if dtypes <= {"float32", "int32", "int64", "bool"} else "mixed"


def _signature_names(model: schema.Model) -> dict[int, str]:
    """Return the names that the model's one signature gives to its inputs and outputs."""
    if model.SignatureDefsLength() != 1:
        return {}
    signature = model.SignatureDefs(0)
    entries = [signature.Inputs(i) for i in range(signature.InputsLength())]
    entries += [signature.Outputs(i) for i in range(signature.OutputsLength())]
    return {entry.TensorIndex(): _text(entry.Name()) for entry in entries}


def _tensor(graph: schema.SubGraph, index: int, names: Mapping[int, str]) -> TensorSummary:
    tensor = graph.Tensors(index)
    ranges = tensor.Quantization()
    whole = ranges is not None and ranges.ScaleLength() == 1
    return TensorSummary(
        name=names.get(index) or _text(tensor.Name()),
        dtype=_dtype(tensor),
        shape=_shape(tensor),
        scale=ranges.Scale(0) if whole else None,
        zero_point=ranges.ZeroPoint(0) if whole else None,
    )


def _dtype(tensor: schema.Tensor) -> str:
    return _DTYPES.get(tensor.Type(), "unknown")


def _operator(model: schema.Model, operator: schema.Operator) -> str:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Old files have the number in a byte of its own; the other field is 0 then, and vice versa.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM {_text(code.CustomCode())}"
    return OPERATORS.get(number, "unknown")


def _text(name: bytes | None) -> str:
    return (name or b"").decode(errors="replace")


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


OPERATORS = _names(schema.BuiltinOperator)
_DTYPES = {number: name.lower() for number, name in _names(schema.TensorType).items()}
