"""Check what a `.tflite` file says about itself, before LiteRT sees it.

LiteRT follows many of a file's numbers without checking them: where they are wrong, it ends the
process, takes all memory, or answers with nonsense.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from kcnn.errors import one_line
from kcnn.litert.activations import BYTES
from kcnn.litert.schema import (
    Graph,
    Model,
    Ranges,
    Tensor,
    dtype_name,
    numbers,
    operator_name,
    parse,
    tables,
    text,
)

# Elements of a tensor, bytes of all tensors: far more than any classifier needs. A file that
# exceeds them has a damaged shape.
_LARGEST_TENSOR, _LARGEST_SUM = 2**28, 2**32
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_NAME = 60  # letters; the converter's own names may fill a page
_ABSENT = -1  # stands for an optional input or output that is not there


def damaged(path: Path, error: Exception) -> ValueError:
    """Return the one-line error for a model that LiteRT or kcnn cannot read; the caller raises."""
    return ValueError(f"{path} is damaged, or no model LiteRT can run: {one_line(error)}")


def check_structure(data: bytes, path: Path) -> None:
    """Check that a model is whole: a graph, operators, and numbers that name what there is.

    Args:
        data: the bytes of the file, which nobody has verified.
        path: the file, which errors name.

    Raises:
        ValueError: the bytes are no model, or a part is missing, out of range or absurdly large.
    """
    try:
        model = parse(data)
    except Exception as error:  # Python follows offsets to anywhere, and raises anything
        reason = ValueError(f"its tables cannot be read ({one_line(error)})")
        raise damaged(path, reason) from error
    try:
        unpacks = _unpacks(model)
        if not unpacks:
            _check_model(model, len(data))
    except Exception as error:
        raise damaged(path, error) from error
    if unpacks:
        raise ValueError(
            f"{path} is compressed for TensorFlow Lite Micro (kcnn export --compress), whose "
            "operator DECODE no other runtime has: use the file that it was made from."
        )


def _unpacks(model: Model) -> bool:
    """Return whether a model's kernels are tables that TensorFlow Lite Micro unpacks."""
    names = (text(code.customCode) for code in tables(model.operatorCodes) if code.customCode)
    return "TFLM_DECODE" in names


def _check_model(model: Model, size: int) -> None:
    graphs = tables(model.subgraphs)
    if not graphs:
        raise ValueError("it has no subgraph")
    for part, name in (
        (tables(graphs[0].operators), "operators"),
        (numbers(graphs[0].inputs), "inputs"),
        (numbers(graphs[0].outputs), "outputs"),
    ):
        if not part:
            raise ValueError(f"it has no {name}")
    _check_buffers(model, size)
    for graph in graphs:
        _check_tensors(graph, len(tables(model.buffers)))
        _check_operators(graph, model)
    _check_signatures(model)
    _check_sizes(tensor for graph in graphs for tensor in tables(graph.tensors))


def _check_buffers(model: Model, size: int) -> None:
    buffers = tables(model.buffers)
    for place, buffer in enumerate(buffers):
        # The constants of a file of 2 GB and more lie behind its tables.
        if buffer.offset + buffer.size > size:
            raise ValueError(f"buffer {place} ends behind the file")
    for entry in tables(model.metadata):
        _check_place(entry.buffer, len(buffers), f"metadata {text(entry.name)[:_NAME]!r}", "buffer")


def _check_tensors(graph: Graph, buffers: int) -> None:
    count = len(tables(graph.tensors))
    for side, places in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        for place in numbers(places):
            _check_place(place, count, f"the graph's {side}", "tensor")
    for place, tensor in enumerate(tables(graph.tensors)):
        what = f"tensor {place} {text(tensor.name)[:_NAME]!r}"
        _check_place(tensor.buffer, buffers, what, "buffer")
        if tensor.quantization is not None:
            _check_ranges(tensor.quantization, numbers(tensor.shape), what)


def _check_ranges(ranges: Ranges, shape: list[int], what: str) -> None:
    """Check that a tensor has a scale, or one for each channel, that real values can have."""
    scales, zeros = numbers(ranges.scale), numbers(ranges.zeroPoint)
    wrong = [scale for scale in scales if not 0 < scale < math.inf]  # as for NaN
    if wrong:
        raise ValueError(f"{what} has a quantization scale of {wrong[0]}")
    if len(zeros) not in (0, 1, len(scales)):
        raise ValueError(f"{what} has {len(scales)} scales and {len(zeros)} zero points")
    axis = ranges.quantizedDimension
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ValueError(f"{what} of shape {shape} has {len(scales)} scales along axis {axis}")


def _check_operators(graph: Graph, model: Model) -> None:
    count, codes = len(tables(graph.tensors)), len(tables(model.operatorCodes))
    for place, operator in enumerate(tables(graph.operators)):
        _check_place(operator.opcodeIndex, codes, f"operator {place}", "kind")
        name, given = operator_name(model, operator), numbers(operator.inputs)
        for used in (*given, *numbers(operator.outputs)):
            if used != _ABSENT:
                _check_place(used, count, f"operator {place} {name}", "tensor")
        if name in _WEIGHTED and (len(given) < 2 or min(given[:2]) < 0):
            raise ValueError(f"{name} without weights")  # LiteRT would crash on it


def _check_signatures(model: Model) -> None:
    graphs = tables(model.subgraphs)
    for signature in tables(model.signatureDefs):
        what = f"signature {text(signature.signatureKey)[:_NAME]!r}"
        _check_place(signature.subgraphIndex, len(graphs), what, "subgraph")
        count = len(tables(graphs[signature.subgraphIndex].tensors))
        for entry in (*tables(signature.inputs), *tables(signature.outputs)):
            _check_place(entry.tensorIndex, count, what, "tensor")


def _check_place(place: int, count: int, what: str, kind: str) -> None:
    if not 0 <= place < count:
        raise ValueError(f"{what}: no {kind} {place} among {count}")


def _check_sizes(tensors: Iterable[Tensor]) -> None:
    """Refuse absurd shapes: LiteRT trusts them, takes all memory, and the process ends."""
    total = 0
    for tensor in tensors:
        shape = tuple(numbers(tensor.shape))
        if (count := math.prod(map(abs, shape))) > _LARGEST_TENSOR:
            raise ValueError(f"a tensor of shape {shape}")
        total += count * BYTES.get(dtype_name(tensor), 4)
    if total > _LARGEST_SUM:
        raise ValueError(f"{total:,} bytes of tensors")
