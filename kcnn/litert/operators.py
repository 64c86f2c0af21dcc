"""The operators and tensors of a `.tflite` model, of all its graphs."""

from collections.abc import Iterator

from kcnn.litert.schema import Graph, Model, Operator, Tensor, operator_name, tables


def every_operator(model: Model) -> Iterator[tuple[Graph, Operator, str]]:
    """Yield the graph, the operator and what the schema calls it, such as `CONV_2D`, in order."""
    for graph in tables(model.subgraphs):
        for operator in tables(graph.operators):
            yield graph, operator, operator_name(model, operator)


def every_tensor(model: Model) -> Iterator[Tensor]:
    """Yield the tensors."""
    for graph in tables(model.subgraphs):
        yield from tables(graph.tensors)
