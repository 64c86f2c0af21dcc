"""The ranges that calibration measured: refuse infinite ones, widen those of a single value."""

import logging
from collections.abc import Iterator

import numpy as np

from kcnn.export.stored_kernels import AXES
from kcnn.litert.constants import constant
from kcnn.litert.operators import every_tensor
from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    Tensor,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
    text,
)

logger = logging.getLogger("kcnn")

# A range is that of a single value if it is so much narrower than the operator's input: float32
# rounds that far.
_SINGLE = 2.0**-24
# Its new width, as a part of the input's.
_WIDENED = 2.0**-4
# XNNPACK loads no convolution whose output has a scale 256 times as fine as those of its input and
# its kernel together. Half of that leaves room for rounding.
_FINEST = 128
_LARGEST_INT8 = 127


def check_ranges(calibrated: bytes) -> None:
    """Check that every range measured on the calibration images is finite.

    Raises:
        RuntimeError: a range is not finite; the message names the tensor.
    """
    for tensor in every_tensor(parse(calibrated)):
        low, high = _range(tensor) or (0.0, 0.0)
        if not np.isfinite([low, high]).all():
            raise RuntimeError(
                f"{text(tensor.name)!r} takes values from {low} to {high} on the calibration "
                "images. Are the pixels normalized, and is the model trained?"
            )


def widen_ranges(calibrated: bytes) -> bytes:
    """Return a calibrated model in which every tensor has a range that a scale can be made of.

    A tensor that is 0 or nearly so on all calibration images, such as the output of a dead ReLU,
    would get a scale with which XNNPACK does not load the file. Its range becomes a part of that
    of the operator's input. A warning names the tensors.
    """
    model = parse(calibrated)
    named = [
        text(tensor.name)
        for graph in tables(model.subgraphs)
        for tensor in _widen_graph(model, graph)
    ]
    if not named:
        return calibrated
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    logger.warning(
        "%r%s has a single value on all calibration images, or nearly so: a dead ReLU, weights "
        "near 0, or too few images?",
        named[0],
        more,
    )
    return serialize(model)


def _widen_graph(model: Model, graph: Graph) -> Iterator[Tensor]:
    for operator in tables(graph.operators):
        sources = [tensor_at(graph, place) for place in numbers(operator.inputs) if place >= 0]
        known = map(_with_zero, filter(None, map(_range, sources)))
        widths = [high - low for low, high in known]
        for place in numbers(operator.outputs):
            tensor = tensor_at(graph, place)
            measured, ranges = _range(tensor), tensor.quantization
            if measured is None or ranges is None or not widths:
                continue
            low, high = _with_zero(measured)
            finest = _finest(model, graph, operator)
            single = high - low <= _SINGLE * max(widths)
            if single or high - low < finest:
                width = max(finest, _WIDENED * max(widths) if single else 0.0)
                ranges.min, ranges.max = [low], [low + width]
                yield tensor


def _finest(model: Model, graph: Graph, operator: Operator) -> float:
    """Return the width of the narrowest range that XNNPACK takes for an operator's output."""
    places = numbers(operator.inputs)
    if operator_name(model, operator) not in AXES or len(places) < 2:
        return 0.0
    read = _range(tensor_at(graph, places[0]))
    kernel = constant(model, tensor_at(graph, places[1]), "float32")
    if read is None or kernel is None:
        return 0.0
    low, high = _with_zero(read)
    return (high - low) * float(np.abs(kernel).max()) / _LARGEST_INT8 / _FINEST


def _with_zero(measured: tuple[float, float]) -> tuple[float, float]:
    """Return a range as the quantizer widens it: zero must be one of the stored numbers."""
    return min(measured[0], 0.0), max(measured[1], 0.0)


def _range(tensor: Tensor) -> tuple[float, float] | None:
    measured = tensor.quantization
    if measured is None or not numbers(measured.min):
        return None
    return float(numbers(measured.min)[0]), float(numbers(measured.max)[0])
