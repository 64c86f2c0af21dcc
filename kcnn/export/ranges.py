"""The ranges that calibration measured: refuse infinite ones, widen those of a single value."""

import logging
from collections.abc import Iterator

import numpy as np

from kcnn.litert.operators import every_tensor
from kcnn.litert.schema import (
    Graph,
    Tensor,
    numbers,
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
# Its new width, as a part of the input's. XNNPACK refuses a convolution whose output has a scale
# 256 times as fine as those of its input and its kernel together.
_WIDENED = 2.0**-4


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

    A tensor that is 0 on all calibration images, such as the output of a dead ReLU, would get a
    scale of nearly 0, with which XNNPACK does not load the file. Its range becomes a part of that
    of the operator's input. A warning names the tensors.
    """
    model = parse(calibrated)
    named = [
        text(tensor.name) for graph in tables(model.subgraphs) for tensor in _widen_graph(graph)
    ]
    if not named:
        return calibrated
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    logger.warning(
        "%r%s has a single value on all calibration images: a dead ReLU, or too few images?",
        named[0],
        more,
    )
    return serialize(model)


def _widen_graph(graph: Graph) -> Iterator[Tensor]:
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
            if high - low <= _SINGLE * max(widths):
                ranges.min, ranges.max = [low], [low + _WIDENED * max(widths)]
                yield tensor


def _with_zero(measured: tuple[float, float]) -> tuple[float, float]:
    """Return a range as the quantizer widens it: zero must be one of the stored numbers."""
    return min(measured[0], 0.0), max(measured[1], 0.0)


def _range(tensor: Tensor) -> tuple[float, float] | None:
    measured = tensor.quantization
    if measured is None or not numbers(measured.min):
        return None
    return float(numbers(measured.min)[0]), float(numbers(measured.max)[0])
