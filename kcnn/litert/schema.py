"""TensorFlow Lite's schema with types: a `.tflite` model as objects that can be read and changed.

LiteRT generates its classes from the schema without types, and only this file imports them. The
field names are the schema's own, as in `schema.fbs` of LiteRT. A list that a file leaves out is
None: `numbers` and `tables` return an empty list for it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np
from ai_edge_litert import schema_py_generated as generated
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)

ALIGNMENT = 16
"""Bytes. The schema asks for it, and kernels that read constants in place rely on it."""

INT4 = generated.TensorType.INT4
"""The type of a tensor whose numbers have 4 bits, two in each byte."""

Numbers: TypeAlias = Sequence[int] | Sequence[float] | np.ndarray
Text: TypeAlias = str | bytes
Table = TypeVar("Table")


class Ranges(Protocol):
    """How a tensor is quantized: the schema's `QuantizationParameters`."""

    min: Numbers | None
    max: Numbers | None
    scale: Numbers | None
    zeroPoint: Numbers | None  # noqa: N815 - as are all others, the schema's name
    quantizedDimension: int  # noqa: N815


class Tensor(Protocol):
    """A tensor of a graph; `buffer` is the place of its constant among the model's buffers."""

    name: Text | None
    shape: Numbers | None
    type: int
    buffer: int
    quantization: Ranges | None


class Operator(Protocol):
    """An operator of a graph; its inputs and outputs are places among the graph's tensors."""

    opcodeIndex: int  # noqa: N815
    inputs: Numbers | None
    outputs: Numbers | None
    builtinOptions: Any  # noqa: N815 - of another class for each kind of operator


class OperatorCode(Protocol):
    """A kind of operator that the model uses."""

    builtinCode: int  # noqa: N815
    deprecatedBuiltinCode: int  # noqa: N815
    version: int
    customCode: Text | None  # noqa: N815


class Graph(Protocol):
    """The schema's `SubGraph`; inputs and outputs are places among its tensors."""

    tensors: list[Tensor] | None
    operators: list[Operator] | None
    inputs: Numbers | None
    outputs: Numbers | None


class Buffer(Protocol):
    """The bytes of a constant."""

    data: Any
    offset: int
    size: int


class TensorMap(Protocol):
    """A signature's name for a tensor."""

    name: Text | None
    tensorIndex: int  # noqa: N815


class Signature(Protocol):
    """The names by which an app finds inputs and outputs."""

    inputs: list[TensorMap] | None
    outputs: list[TensorMap] | None
    signatureKey: Text | None  # noqa: N815
    subgraphIndex: int  # noqa: N815


class Metadata(Protocol):
    """A named entry; `buffer` is the place of its content among the model's buffers."""

    name: Text | None
    buffer: int


class Model(Protocol):
    """A whole model."""

    subgraphs: list[Graph] | None
    operatorCodes: list[OperatorCode] | None  # noqa: N815
    buffers: list[Buffer] | None
    metadata: list[Metadata] | None
    signatureDefs: list[Signature] | None  # noqa: N815


def parse(data: bytes) -> Model:
    """Return the model in the bytes of a verified file, without what is packed behind it."""
    return cast(Model, convert_bytearray_to_object(data))


def serialize(model: Model) -> bytes:
    """Return a model as the bytes of a file, every constant at a multiple of 16 bytes."""
    buffers = [_AlignedBuffer(each.data, each.offset, each.size) for each in tables(model.buffers)]
    model.buffers = cast(list[Buffer], buffers)
    return bytes(convert_object_to_bytearray(cast(Any, model)))


def new_buffer(content: bytes) -> Buffer:
    """Return a buffer with this content."""
    return cast(Buffer, generated.BufferT(data=content))


def new_metadata(name: str, buffer: int) -> Metadata:
    """Return a metadata entry whose content is in the model's buffer of that place."""
    return cast(Metadata, generated.MetadataT(name=name, buffer=buffer))


def new_tensor_map(name: str, index: int) -> TensorMap:
    """Return a signature's name for the tensor of that place."""
    return cast(TensorMap, generated.TensorMapT(name=name, tensorIndex=index))


def new_signature(key: str, inputs: list[TensorMap], outputs: list[TensorMap]) -> Signature:
    """Return a signature."""
    made = generated.SignatureDefT(inputs=inputs, outputs=outputs, signatureKey=key)
    return cast(Signature, made)


def new_tensor(name: str, shape: Sequence[int]) -> Tensor:
    """Return a float32 tensor without a constant."""
    return cast(Tensor, generated.TensorT(name=name, shape=[*shape], buffer=0))


def new_operator(model: Model, name: str, version: int, source: int, target: int) -> Operator:
    """Return an operator without options that reads one tensor and writes another."""
    number = getattr(generated.BuiltinOperator, name)
    code = generated.OperatorCodeT(number, builtinCode=number, version=version)
    model.operatorCodes = [*tables(model.operatorCodes), cast(OperatorCode, code)]
    place = len(model.operatorCodes) - 1
    made = generated.OperatorT(opcodeIndex=place, inputs=[source], outputs=[target])
    return cast(Operator, made)


def numbers(values: Numbers | None) -> list[Any]:
    """Return a vector of the schema as Python's numbers, empty if the file leaves it out.

    >>> numbers(np.array([1, 8, 8, 3], np.int32)), numbers(None)
    ([1, 8, 8, 3], [])
    """
    return [] if values is None else np.asarray(values).tolist()


def tables(values: list[Table] | None) -> list[Table]:
    """Return a list of the schema, empty if the file leaves it out."""
    return values or []


def tensor_at(graph: Graph, place: int) -> Tensor:
    """Return the tensor of a graph at a place that a file names.

    Raises:
        IndexError: the graph has no such tensor.
    """
    tensors = tables(graph.tensors)
    if not 0 <= place < len(tensors):
        raise IndexError(f"no tensor {place} among {len(tensors)}")
    return tensors[place]


def text(name: Text | None) -> str:
    """Return a text of the schema, whose bytes may be anything in a damaged file.

    >>> text(b"logits"), text(None)
    ('logits', '')
    """
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""


def operator_name(model: Model, operator: Operator) -> str:
    """Return what the schema calls an operator, such as `CONV_2D`; `CUSTOM` with its own name."""
    code = tables(model.operatorCodes)[operator.opcodeIndex]
    # Old files have the number in a byte of its own; the other field is 0 then, and vice versa.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == _CUSTOM:
        return f"CUSTOM {text(code.customCode)}"
    return _OPERATORS.get(number, "unknown")


def dtype_name(tensor: Tensor) -> str:
    """Return the dtype of a tensor in lower case, such as `float32`."""
    return _DTYPES.get(tensor.type, "unknown")


def fused_activation(operator: Operator) -> str:
    """Return the activation that is a part of an operator, such as `RELU6`; `NONE` without one."""
    return _ACTIVATIONS[getattr(operator.builtinOptions, "fusedActivationFunction", 0)]


class _AlignedBuffer(generated.BufferT):
    """A buffer that is written where the schema's `force_align` wants it.

    The generated class writes its bytes one by one, wherever the last table ended.
    """

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the schema's name
        """Write it into a `flatbuffers.Builder` and return its offset."""
        content = None
        if self.data is not None:
            stored = bytes(bytearray(self.data))
            builder.StartVector(1, len(stored), ALIGNMENT)
            builder.head -= len(stored)
            builder.Bytes[builder.head : builder.head + len(stored)] = stored
            content = builder.EndVector()
        generated.BufferStart(builder)
        if content is not None:
            generated.BufferAddData(builder, content)
        generated.BufferAddOffset(builder, self.offset)
        generated.BufferAddSize(builder, self.size)
        return generated.BufferEnd(builder)


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


_OPERATORS = _names(generated.BuiltinOperator)
_DTYPES = {number: name.lower() for number, name in _names(generated.TensorType).items()}
_CUSTOM = generated.BuiltinOperator.CUSTOM
_ACTIVATIONS = _names(generated.ActivationFunctionType)
