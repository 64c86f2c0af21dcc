"""A `.tflite` model whose layers do not read one another, but numbers that the caller gives.

So the error that a layer adds can be told from the error that it was handed on.
"""

import copy

from kcnn.litert.every_map import DEQUANTIZE, QUANTIZE, EveryMap
from kcnn.litert.schema import (
    Graph,
    Model,
    dtype_name,
    new_operator,
    new_tensor,
    new_tensor_map,
    numbers,
    operator_name,
    parse,
    serialize,
    tables,
    tensor_at,
)


def with_layers_apart(every: EveryMap) -> tuple[bytes, tuple[int, ...]]:
    """Return a model whose layers read inputs of their own, and which outputs these stand for.

    The input `given{output}` is what the readers of a layer's output get in its place: float32,
    which the model rounds as the layer stores it. The outputs are those of `every`.

    Args:
        every: what `with_every_map` has made of a model.
    """
    model = parse(every.data)
    graph = tables(model.subgraphs)[0]
    given = {}
    for layer in every.layers:
        entry = _detach(model, graph, layer.output)
        if entry is not None:
            given[layer.output] = entry
    graph.inputs = [*numbers(graph.inputs), *given.values()]
    (signature,) = tables(model.signatureDefs)
    named = [new_tensor_map(f"given{output}", entry) for output, entry in given.items()]
    signature.inputs = [*tables(signature.inputs), *named]
    return serialize(model), tuple(given)


def _detach(model: Model, graph: Graph, output: int) -> int | None:
    """Let the readers of a tensor read an input; return its place, None if there are no readers."""
    shown = set(numbers(graph.outputs))
    readers = [
        operator
        for operator in tables(graph.operators)
        if output in numbers(operator.inputs)
        and not (
            operator_name(model, operator) == DEQUANTIZE[0] and {*numbers(operator.outputs)} & shown
        )
    ]
    if not readers:
        return None
    stored = tensor_at(graph, output)
    entry = read = len(tables(graph.tensors))
    graph.tensors = [*tables(graph.tensors), new_tensor(f"given{output}", numbers(stored.shape))]
    if dtype_name(stored) != "float32":
        read = entry + 1
        graph.tensors = [*graph.tensors, copy.deepcopy(stored)]
        rounding = new_operator(model, *QUANTIZE, entry, read)
        graph.operators = [rounding, *tables(graph.operators)]
    for operator in readers:
        operator.inputs = [read if each == output else each for each in numbers(operator.inputs)]
    return entry
