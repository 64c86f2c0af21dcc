"""One convolution with groups in place of one convolution for each slice of the channels.

`kcnn.models.blocks.grouped_conv` slices the channels, convolves each slice and concatenates the
results, because that trains faster. An int8 file takes half the time with one operator for all
groups, which computes the same integers. TensorFlow Lite reads it since version 2.9.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcnn.litert.constants import constant, scales_of
from kcnn.litert.schema import (
    Graph,
    Model,
    Operator,
    OperatorCode,
    Tensor,
    new_buffer,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
)
from kcnn.litert.unused import remove_unused

_VERSION = 6  # of CONV_2D, the first one with groups
_CONSTANTS = ("int8", "int32")  # kernel and bias
_ABSENT = -1  # stands for an optional bias that is not there


def merge_groups(data: bytes) -> bytes:
    """Return an int8 model in which sliced convolutions are convolutions with groups.

    Merged are convolutions of equal options whose inputs are equal slices of the channels of one
    tensor, in order, and whose outputs nothing but one concatenation reads. The kernels keep their
    numbers and their scales, so that the answers stay the same, bit for bit.

    Args:
        data: the int8 model. One without such convolutions is returned as it is.
    """
    model = parse(data)
    if len(tables(model.subgraphs)) != 1:
        return data
    found = [*_find_groups(model)]
    if not found:
        return data
    for groups in found:
        _merge(model, groups)
    remove_unused(model)
    return serialize(model)


@dataclass(frozen=True)
class _Groups:
    """A grouped convolution, as slices make it.

    Attributes:
        source: the place of the tensor that is sliced.
        convolutions: one for each group, in the order of their channels.
        joined: the concatenation.
    """

    source: int
    convolutions: list[Operator]
    joined: Operator


def _find_groups(model: Model) -> Iterator[_Groups]:
    (graph,) = tables(model.subgraphs)
    operators = tables(graph.operators)
    makers = {place: each for each in operators for place in numbers(each.outputs)}
    readers = Counter(place for each in operators for place in numbers(each.inputs))
    readers.update(numbers(graph.outputs))
    for joined in operators:
        parts = numbers(joined.inputs)
        convolutions = [makers[place] for place in parts if place in makers]
        if (
            operator_name(model, joined) != "CONCATENATION"
            or len(convolutions) != len(parts)
            or any(readers[place] != 1 for place in parts)
            or not _are_alike(model, convolutions)
            or not _joins_channels(graph, joined)
        ):
            continue
        slices = [_sliced(model, makers, numbers(each.inputs)[0]) for each in convolutions]
        source = _source(graph, convolutions, slices)
        if source is not None:
            yield _Groups(source, convolutions, joined)


def _are_alike(model: Model, convolutions: list[Operator]) -> bool:
    """Return whether operators are convolutions that differ in their numbers only."""
    named = [operator_name(model, each) for each in convolutions]
    if {*named} != {"CONV_2D"} or any(_ABSENT in numbers(each.inputs) for each in convolutions):
        return False
    (graph,) = tables(model.subgraphs)
    first = convolutions[0]
    shapes = [[_shape(graph, place) for place in numbers(each.inputs)[1:]] for each in convolutions]
    return (
        len(convolutions) > 1
        and all(vars(each.builtinOptions) == vars(first.builtinOptions) for each in convolutions)
        and all(each == shapes[0] for each in shapes)
        # A bias of equal numbers may be stored as a single one.
        and all(shape[0] == shapes[0][0][0] for shape in shapes[0])
        and all(
            constant(model, tensor_at(graph, place), dtype) is not None
            for each in convolutions
            for place, dtype in zip(numbers(each.inputs)[1:], _CONSTANTS, strict=False)
        )
    )


def _joins_channels(graph: Graph, joined: Operator) -> bool:
    """Return whether a concatenation puts channels together and does nothing else to them."""
    (place,) = numbers(joined.outputs)
    options: Any = joined.builtinOptions
    ranges = [_range(tensor_at(graph, each)) for each in (place, *numbers(joined.inputs))]
    return (
        options.axis in (-1, len(_shape(graph, place)) - 1)
        and not options.fusedActivationFunction
        and all(each == ranges[0] for each in ranges)
    )


def _sliced(model: Model, makers: dict[int, Operator], place: int) -> tuple[int, int] | None:
    """Return the tensor of which this one is some channels, and the first of them."""
    maker = makers.get(place)
    if maker is None:
        return None
    (graph,) = tables(model.subgraphs)
    name, inputs = operator_name(model, maker), numbers(maker.inputs)
    if name == "SPLIT":
        number = numbers(maker.outputs).index(place)
        return inputs[1], number * _shape(graph, place)[-1]
    if name == "STRIDED_SLICE" and not _is_plain(model, maker):
        return None
    if name not in ("SLICE", "STRIDED_SLICE"):
        return None
    begin = constant(model, tensor_at(graph, inputs[1]), "int32")
    if begin is None:
        return None
    from_start = getattr(maker.builtinOptions, "beginMask", 0) >> (len(begin) - 1)
    return inputs[0], 0 if from_start else int(begin[-1])


def _is_plain(model: Model, sliced: Operator) -> bool:
    """Return whether a slice takes neighbors, keeps all axes, and says where its channels begin."""
    (graph,) = tables(model.subgraphs)
    options: Any = sliced.builtinOptions
    strides = constant(model, tensor_at(graph, numbers(sliced.inputs)[3]), "int32")
    others = (options.ellipsisMask, options.newAxisMask, options.shrinkAxisMask)
    return strides is not None and (strides == 1).all() and not any(others)


def _source(
    graph: Graph, convolutions: list[Operator], slices: list[tuple[int, int] | None]
) -> int | None:
    """Return the tensor whose channels are the equal slices, in order; None if there is none."""
    found = [each for each in slices if each is not None]
    places = {place for place, _ in found}
    if len(found) != len(slices) or len(places) != 1:
        return None
    (place,) = places
    whole = _shape(graph, place)
    part = [*whole[:-1], whole[-1] // len(slices)]
    equal = all(_shape(graph, numbers(each.inputs)[0]) == part for each in convolutions)
    in_order = [first for _, first in found] == [part[-1] * i for i in range(len(slices))]
    return place if equal and in_order and whole[-1] % len(slices) == 0 else None


def _merge(model: Model, groups: _Groups) -> None:
    """Turn the concatenation into the convolution of all groups."""
    first, joined = groups.convolutions[0], groups.joined
    places = [numbers(each.inputs) for each in groups.convolutions]
    joined.inputs = [
        groups.source,
        *(_add_joined(model, [each[i] for each in places]) for i in range(1, len(places[0]))),
    ]
    joined.builtinOptions = first.builtinOptions
    joined.builtinOptionsType = first.builtinOptionsType
    code: OperatorCode = copy.copy(tables(model.operatorCodes)[first.opcodeIndex])
    code.version = max(code.version, _VERSION)
    joined.opcodeIndex = len(tables(model.operatorCodes))
    model.operatorCodes = [*tables(model.operatorCodes), code]


def _add_joined(model: Model, places: list[int]) -> int:
    """Add the kernels or biases of all groups as one constant; return its place."""
    (graph,) = tables(model.subgraphs)
    parts = [tensor_at(graph, place) for place in places]
    shape = numbers(parts[0].shape)
    joined = copy.deepcopy(parts[0])
    joined.shape = [shape[0] * len(parts), *shape[1:]]
    ranges: Any = joined.quantization
    ranges.scale = np.concatenate(
        [np.broadcast_to(scales_of(part), shape[:1]) for part in parts]
    ).tolist()
    ranges.zeroPoint = [0] * len(ranges.scale)
    ranges.quantizedDimension = 0
    ranges.min = ranges.max = None
    buffers = tables(model.buffers)
    content = b"".join(bytes(bytearray(buffers[part.buffer].data)) for part in parts)
    joined.buffer = len(buffers)
    model.buffers = [*buffers, new_buffer(content)]
    graph.tensors = [*tables(graph.tensors), joined]
    return len(graph.tensors) - 1


def _shape(graph: Graph, place: int) -> list[int]:
    return numbers(tensor_at(graph, place).shape)


def _range(tensor: Tensor) -> tuple[list[float], list[int]]:
    ranges = tensor.quantization
    return (numbers(ranges.scale), numbers(ranges.zeroPoint)) if ranges else ([], [])
