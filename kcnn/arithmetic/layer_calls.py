"""The layer calls of a model in order of computation, including those of models inside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kcnn.arithmetic.nodes import nodes_of


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor that flows through a model. It is equal to itself only.

    Attributes:
        shape: with the batch, as Keras has it.
    """

    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Call:
    """One call of one layer.

    Attributes:
        name: of the layer, after those of the models around it: "inner/conv".
        layer: the Keras layer, or an operation such as `x + y`.
        inputs: the tensors that it gets; none for an input layer.
        outputs: the tensors that it returns.
    """

    name: str
    layer: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def calls(model: keras.Model) -> list[Call]:
    """Return every layer call in `model`, each after those that it depends on.

    The calls of the input layers come first; they have no inputs themselves.

    Args:
        model: a built Sequential or functional model.

    Raises:
        ValueError: the model, or one within it, is not a built graph of layers.

    >>> image = keras.Input((8, 8, 3), name="image")
    >>> inner = keras.Sequential([image, keras.layers.Conv2D(4, 3, name="conv")], name="inner")
    >>> model = keras.Model(image, keras.layers.Flatten(name="flatten")(inner(image)))
    >>> [(call.name, call.outputs[0].shape) for call in calls(model)]
    [('image', (None, 8, 8, 3)), ('inner/conv', (None, 6, 6, 4)), ('flatten', (None, 144))]
    """
    found: list[Call] = []
    _collect(model, (), "", found)
    return found


def _collect(
    model: keras.Model, inputs: Sequence[Tensor], prefix: str, found: list[Call]
) -> list[Tensor]:
    """Append the calls of `model` to `found` and return its output tensors.

    `inputs` are what a model inside another one gets; the outermost one makes its own.
    """
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"Model {model.name!r} must be a built graph, of keras.Sequential with an Input or of "
            "keras.Model(inputs, outputs): a model class of your own hides which layers it calls."
        )
    # A functional model of the same layers: a Sequential has no record of its calls.
    graph = keras.Model(model.inputs, model.outputs, name="graph")
    tensors = {id(end): tensor for end, tensor in zip(graph.inputs, inputs, strict=False)}
    for node in nodes_of(graph, inputs=True):
        if inputs and node.is_input:
            continue
        layer, name = node.operation, f"{prefix}{node.operation.name}"
        given = tuple(tensors[id(tensor)] for tensor in node.input_tensors)
        if isinstance(layer, keras.Model):
            made = _collect(layer, given, f"{name}/", found)
        else:
            made = [Tensor(tensor.shape) for tensor in node.outputs]
            found.append(Call(name, layer, given, tuple(made)))
        tensors |= {id(end): tensor for end, tensor in zip(node.outputs, made, strict=True)}
    return [tensors[id(end)] for end in graph.outputs]
