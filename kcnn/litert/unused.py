"""Remove what a changed `.tflite` model no longer uses."""

from typing import Any

from kcnn.litert.schema import Model, Operator, numbers, tables

_ABSENT = -1  # stands for an optional input that is not there
_PLACES = ("inputs", "outputs", "intermediates")


def remove_unused(model: Model) -> None:
    """Remove operators whose results nothing reads, and their tensors, kinds and constants.

    Args:
        model: of one graph. It is changed in place; what remains gets new places.
    """
    (graph,) = tables(model.subgraphs)
    needed, kept = {*numbers(graph.inputs), *numbers(graph.outputs)}, list[Operator]()
    for operator in reversed(tables(graph.operators)):
        if needed.intersection(numbers(operator.outputs)):
            kept.append(operator)
            needed.update(*(_places(operator, each) for each in _PLACES))
    graph.operators = kept[::-1]
    _renumber_tensors(model, sorted(needed - {_ABSENT}))
    _renumber_kinds(model)
    used = {tensor.buffer for tensor in tables(graph.tensors)}
    used |= {entry.buffer for entry in tables(model.metadata)}
    for place, buffer in enumerate(tables(model.buffers)):
        if place not in used:
            buffer.data = None


def _places(operator: Operator, attribute: str) -> list[int]:
    return numbers(getattr(operator, attribute))


def _renumber_tensors(model: Model, kept: list[int]) -> None:
    (graph,) = tables(model.subgraphs)
    new = {_ABSENT: _ABSENT} | {place: number for number, place in enumerate(kept)}
    tensors = tables(graph.tensors)
    graph.tensors = [tensors[place] for place in kept]
    holders: list[Any] = [graph, *tables(graph.operators)]
    for holder in holders:
        for attribute in _PLACES:
            if getattr(holder, attribute, None) is not None:
                setattr(holder, attribute, [new[place] for place in _places(holder, attribute)])
    for signature in tables(model.signatureDefs):
        for entry in (*tables(signature.inputs), *tables(signature.outputs)):
            entry.tensorIndex = new[entry.tensorIndex]


def _renumber_kinds(model: Model) -> None:
    (graph,) = tables(model.subgraphs)
    operators = tables(graph.operators)
    kinds = tables(model.operatorCodes)
    kept = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [kinds[place] for place in kept]
    for operator in operators:
        operator.opcodeIndex = kept.index(operator.opcodeIndex)
