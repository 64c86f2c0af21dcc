"""What a `.tflite` file holds, read with LiteRT alone: no TensorFlow is imported."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kcnn.litert.labels import read_labels
from kcnn.litert.native_log import native_log
from kcnn.litert.operators import every_operator, every_tensor
from kcnn.litert.schema import (
    Graph,
    Model,
    dtype_name,
    numbers,
    parse,
    tables,
    tensor_at,
    text,
)
from kcnn.litert.structure import check_structure, damaged
from kcnn.litert.trial import try_model

_IDENTIFIER = b"TFL3"
_LARGEST_FILE = 2**30  # bytes, far more than any classifier needs


@dataclass(frozen=True)
class TensorSummary:
    """A tensor of a `.tflite` file.

    Attributes:
        name: what the model's signature calls it, otherwise its own name.
        dtype: `"float32"`, `"int8"`, ...
        shape: with the batch dimension, which is 1.
        scale: a real value is `scale * (stored - zero_point)`; None for a tensor that is not
            quantized, or that is quantized per channel.
        zero_point: see `scale`.
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
        quantization: `"int8"` if no tensor holds floats, and then `"int16x8"` if activations have
            16 bits, `"int4"` if kernels have 4; `"none"` if no number is stored in fewer than 32
            bits; `"mixed"` for anything else.
        inputs: of the model; kcnn's int8 images have `scale` 1.0 and `zero_point` -128.
        outputs: of the model.
        operators: the count of each operator, such as `CONV_2D`; the name of one that is not
            built into LiteRT is `CUSTOM` and its own name.
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

    A file that this process has neither written nor opened before is read in a child process first,
    as some damaged files crash LiteRT.

    Raises:
        ValueError: there is no such file, or it is not a whole TensorFlow Lite model.
    """
    path = Path(path)
    data = read_tflite(path)
    try_model(data, path)
    return summarize_bytes(data, path)


def read_tflite(path: Path) -> bytes:
    """Return the bytes of a file that carries the mark of a TensorFlow Lite model.

    Raises:
        ValueError: the file does not exist, is something else, or is too large.
    """
    if path.exists() and not path.is_file():  # reading a pipe might never end
        raise ValueError(f"Cannot read {path}: it is no file.")
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


Kernels = Literal["xnnpack", "reference"]
"""LiteRT's fast kernels, and those that define what an operator computes."""

_RESOLVERS = {"xnnpack": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


def open_interpreter(data: bytes, path: Path, kernels: Kernels = "xnnpack") -> Interpreter:
    """Verify a model's bytes and return LiteRT's interpreter for them, on one thread.

    LiteRT gets the bytes and never a path: it checks the offsets in bytes before it follows them,
    and does not check those in a file.

    Raises:
        ValueError: the bytes are not a whole model, or hold an operator that LiteRT does not know.
    """
    check_structure(data, path)
    try:
        with native_log():
            return Interpreter(
                model_content=data,
                num_threads=1,
                experimental_op_resolver_type=_RESOLVERS[kernels],
            )
    except (ValueError, RuntimeError) as error:
        raise damaged(path, error) from error


def summarize_bytes(data: bytes, path: Path) -> TFLiteSummary:
    """Read what the bytes of a model hold; the summary and the errors show `path`.

    Raises:
        ValueError: the bytes are not a whole model.
    """
    open_interpreter(data, path)
    try:
        labels = read_labels(data)
    except ValueError as error:
        raise damaged(path, error) from error
    return _summary(parse(data), path, len(data), labels)


def _summary(model: Model, path: Path, size: int, labels: tuple[str, ...]) -> TFLiteSummary:
    main, names = tables(model.subgraphs)[0], _signature_names(model)
    dtypes = Counter(dtype_name(tensor) for tensor in every_tensor(model))
    return TFLiteSummary(
        path=path,
        bytes=size,
        quantization=_quantization(set(dtypes)),
        inputs=tuple(_tensor(main, place, names) for place in numbers(main.inputs)),
        outputs=tuple(_tensor(main, place, names) for place in numbers(main.outputs)),
        operators=dict(Counter(kind for _, _, kind in every_operator(model))),
        tensor_dtypes=dict(dtypes),
        labels=labels,
    )


def _quantization(dtypes: set[str]) -> str:
    if not any("float" in dtype for dtype in dtypes):
        if "int4" in dtypes or "int16" in dtypes:
            return "int4" if "int16" not in dtypes else "int16x8"
        return "int8" if "int8" in dtypes else "mixed"
    return "none" if dtypes <= {"float32", "int32", "int64", "bool"} else "mixed"


def _signature_names(model: Model) -> dict[int, str]:
    """Return the names that the model's one signature gives to its inputs and outputs."""
    signatures = tables(model.signatureDefs)
    if len(signatures) != 1:
        return {}
    entries = [*tables(signatures[0].inputs), *tables(signatures[0].outputs)]
    return {entry.tensorIndex: text(entry.name) for entry in entries}


def _tensor(graph: Graph, place: int, names: Mapping[int, str]) -> TensorSummary:
    tensor = tensor_at(graph, place)
    ranges = tensor.quantization
    scales = numbers(ranges.scale) if ranges else []
    zeros = numbers(ranges.zeroPoint) if ranges else []
    per_tensor = len(scales) == 1
    return TensorSummary(
        name=names.get(place) or text(tensor.name),
        dtype=dtype_name(tensor),
        shape=tuple(numbers(tensor.shape)),
        scale=scales[0] if per_tensor else None,
        zero_point=[*zeros, 0][0] if per_tensor else None,
    )
