"""What the tensors at the end of a Keras graph hold: logits, probabilities, or neither."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kcnn.answers import UNKNOWN
from kcnn.final_values import (
    DEEPEST,
    LOGITS,
    NOT_KNOWN,
    Values,
    added,
    bounded,
    difference,
    joined,
    limited,
    part,
    product,
    quotient,
    rectified,
    scaled,
)

Maker = Callable[[Any], tuple[Any, Any]]
Activation = Callable[[Any], str | None]

# Keras's layers and operations by class name: those that return a part of their input, or means or
# maxima of it.
_PARTS = frozenset(
    {"GetItem", "Split", "Take", "Transpose", "Permute", "Mean", "Max", "Amax"}
    | {f"{kind}Pooling{axes}D" for kind in ("Average", "Max") for axes in (1, 2, 3)}
    | {f"Global{kind}Pooling{axes}D" for kind in ("Average", "Max") for axes in (1, 2, 3)}
)
_Join = Callable[[Sequence[Values], Sequence[float]], Values]


def _average(parts: Sequence[Values], _: Sequence[float]) -> Values:
    return scaled(added(parts), [1 / len(parts)])


def _joined(parts: Sequence[Values], _: Sequence[float]) -> Values:
    return joined(parts)


_JOINS: Mapping[str, _Join] = {
    "Concatenate": _joined,
    "Stack": _joined,
    "Add": added,
    "Subtract": difference,
    "Multiply": product,
    "Divide": quotient,
    "TrueDivide": quotient,
    "Average": _average,
    "Minimum": limited,
    "Maximum": limited,
}


class Reader:
    """A Keras graph, followed from its output backwards.

    Args:
        maker: returns the operation that computes a tensor's numbers, and its node.
        activation_of: returns the activation that an operation applies, `UNKNOWN` if it is none
            that makes probabilities, and None for a layer with a kernel that returns logits.
    """

    def __init__(self, maker: Maker, activation_of: Activation) -> None:
        self._maker, self._activation_of = maker, activation_of
        self._found: dict[int, Values] = {}

    def values(self, tensor: Any, depth: int = 0) -> Values:
        """Return what a tensor holds."""
        operation, node = self._maker(tensor)
        if depth > DEEPEST or node is None:
            return NOT_KNOWN
        if id(node) not in self._found:
            self._found[id(node)] = self._made_by(operation, node, depth)
        return self._found[id(node)]

    def _made_by(self, operation: Any, node: Any, depth: int) -> Values:
        applied = self._activation_of(operation)
        name = getattr(getattr(operation, "activation", None), "__name__", "")
        kind = type(operation).__name__
        if "hard_sigmoid" in (name, "hard_sigmoid" if kind == "HardSigmoid" else ""):
            return Values("sigmoid")
        if applied != UNKNOWN:
            return bounded(LOGITS, 6.0) if name == "relu6" else Values(applied)
        stock = type(operation).__module__.startswith("keras.")
        if not stock or not node.input_tensors:
            return NOT_KNOWN
        parts = [self.values(each, depth + 1) for each in node.input_tensors]
        if kind in _JOINS:
            return _JOINS[kind](parts, _constants(node))
        if kind in _PARTS:
            return part(parts[0])
        return _of_layer(operation, name or kind, parts[0])


def _of_layer(operation: Any, name: str, values: Values) -> Values:
    """Return what a layer or operation of one input makes of its values."""
    if isinstance(operation, keras.layers.BatchNormalization):
        return LOGITS if values.activation is None else NOT_KNOWN
    if isinstance(operation, keras.layers.Rescaling):
        scale, offset = (np.ravel(each).tolist() for each in (operation.scale, operation.offset))
        return added([scaled(values, scale)], offset)
    if name == "Clip":
        return limited(
            [values], [float(np.max(each)) for each in (operation.x_min, operation.x_max)]
        )
    if name in ("tanh", "Tanh"):
        return LOGITS
    largest: Any = {"relu6": 6.0, "Relu6": 6.0}.get(name)
    if isinstance(operation, keras.layers.ReLU):
        largest = operation.max_value
    if largest is not None:
        return bounded(values, float(largest))
    return rectified(values) if name in ("relu", "Relu", "ReLU") else NOT_KNOWN


def _constants(node: Any) -> list[float]:
    """Return the numbers that an operation on tensors got besides tensors."""
    given = [*node.arguments.args, *node.arguments.kwargs.values()]
    flat: list[float] = []
    for each in given:
        if isinstance(each, keras.KerasTensor | list | tuple | bool | str) or each is None:
            continue
        value: Any = keras.ops.convert_to_numpy(each)
        flat += np.ravel(value).astype(float).tolist()
    return flat
