"""The calls of which a model consists, in order of computation, models within it opened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor that flows through a model, equal to itself alone."""

    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Call:
    """One use of one layer, named as the models around it, "/", and the layer itself."""

    name: str
    layer: keras.Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def calls(model: keras.Model) -> list[Call]:
    """Return every call of a layer in `model`, each after those that it depends on.

    The first ones are the calls of the input layers, with no inputs of their own.

    Raises:
        ValueError: the model, or one within it, is not a built graph of layers.

    >>> image = keras.Input((8, 8, 3), name="image")
    >>> inner = keras.Sequential([image, keras.layers.Conv2D(4, 3, name="conv")], name="inner")
    >>> model = keras.Model(image, keras.layers.Flatten(name="flatten")(inner(image)))
    >>> [(call.name, call.outputs[0].shape) for call in calls(model)]
    [('image', (None, 8, 8, 3)), ('inner/conv', (None, 6, 6, 4)), ('flatten', (None, 144))]
    """
    found: list[Call] = []
    _open(model, (), "", found)
    return found


def _open(
    model: keras.Model, inputs: Sequence[Tensor], prefix: str, found: list[Call]
) -> list[Tensor]:
    """Append the calls of `model`, fed with `inputs` if there are any, and return its outputs."""
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"Model {model.name!r} must be a built graph, of keras.Sequential with an Input or of "
            "keras.Model(inputs, outputs): a class of its own hides which layers it calls."
        )
    # The same layers seen as a graph, which a Sequential is not.
    graph = keras.Model(model.inputs, model.outputs, name="graph")
    tensors = {id(end): tensor for end, tensor in zip(graph.inputs, inputs, strict=False)}
    for node in _nodes(graph):
        if inputs and node.is_input:
            continue
        layer, name = node.operation, f"{prefix}{node.operation.name}"
        given = tuple(tensors[id(tensor)] for tensor in node.input_tensors)
        if isinstance(layer, keras.Model):
            made = _open(layer, given, f"{name}/", found)
        else:
            made = tuple(Tensor(tensor.shape) for tensor in node.outputs)
            found.append(Call(name, layer, given, made))
        tensors |= {id(end): tensor for end, tensor in zip(node.outputs, made, strict=True)}
    return [tensors[id(end)] for end in graph.outputs]


def _nodes(graph: keras.Model) -> Iterator[Any]:
    """Yield Keras's record of every call, each after those that it depends on."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from graph._nodes_by_depth[depth]
