"""Keras's own records of the calls in a graph: which operation made which tensor, and of what."""

from collections.abc import Iterator
from typing import Any


def nodes_of(graph: Any, *, inputs: bool = False) -> Iterator[Any]:
    """Yield the record of each call in a functional model, each after those that it depends on.

    Args:
        graph: the model.
        inputs: whether to yield those of its input layers, too.
    """
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from (node for node in graph._nodes_by_depth[depth] if inputs or not node.is_input)


def node_of(tensor: Any) -> Any:
    """Return the record of the call that made a tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def readers_of(graph: Any, tensor: Any) -> list[Any]:
    """Return the records of the calls that read a tensor, one for each time that it is read."""
    nodes = nodes_of(graph)
    return [node for node in nodes for source in node.input_tensors if source is tensor]


def times_called(graph: Any, operation: Any) -> int:
    """Return how often an operation is called in a graph."""
    return sum(node.operation is operation for node in nodes_of(graph))
