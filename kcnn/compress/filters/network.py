"""Follow the channels through a whole network."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic import ModelArithmetic, model_arithmetic
from kcnn.arithmetic.layer_calls import Call, Tensor, calls
from kcnn.compress.call_checks import check_calls
from kcnn.compress.filters.channels import WHOLE, Channels, Kept, Labels
from kcnn.compress.filters.rule import Rule, Weights, barrier
from kcnn.compress.filters.rule_table import find_rule
from kcnn.compress.kernels import read_names
from kcnn.errors import unknown


@dataclass(frozen=True)
class Network:
    """The layers of a model, the rule of each, and which channels are tied.

    Attributes:
        arithmetic: what the model costs.
        calls: of its layers, in order of computation.
        layers: by name.
        rules: by the name of the layer.
        roots: the root of each channel label.
    """

    arithmetic: ModelArithmetic
    calls: list[Call]
    layers: dict[str, keras.layers.Layer]
    rules: dict[str, Rule]
    roots: np.ndarray

    def groups(self) -> list[np.ndarray]:
        """Return the removable units, grouped by the tensors in which they occur.

        A tensor consists of whole groups: it keeps a channel if each group keeps one.
        """
        places = defaultdict(list)
        for place, each in enumerate(self.rules.values()):
            for unit in np.unique(self.roots[each.output]):
                places[unit].append(place)
        places.pop(WHOLE, None)
        groups = defaultdict(list)
        for unit, where in places.items():
            groups[tuple(where)].append(unit)
        return [np.array(units) for units in groups.values()]

    def kept_without(self, removed: Iterable[int]) -> Kept:
        """Return which channels are kept if the units `removed` are removed."""
        stays = np.ones(len(self.roots), bool)
        stays[list(removed)] = False
        stays = stays[self.roots]
        return lambda labels: stays[labels]

    def macs(self, kept: Kept) -> int:
        """Return the multiply-accumulates of the network with the kept channels only."""
        total = 0
        for row in self.arithmetic.layers:
            if row.macs:
                left = _size(self._placeholders(row.name, kept))
                total += row.macs * left // _size(self.layers[row.name].weights)
        return total

    def _placeholders(self, name: str, kept: Kept) -> Weights:
        """Return placeholders, of one byte an element, for the weights that a layer keeps."""
        shapes = [weight.shape for weight in self.layers[name].weights]
        whole = [np.broadcast_to(np.int8(0), shape) for shape in shapes]
        return self.rules[name].weights(kept, whole)


def analyze(model: keras.Model, exclude: Iterable[str]) -> Network:
    """Follow the channels through `model`; the layers in `exclude` keep all of theirs.

    Raises:
        ValueError: a name in `exclude` is unknown, or the channels of a layer cannot be followed;
            the message names the layer and says what to do.
    """
    exclude = _check_names(exclude, model)
    channels = Channels()
    rules: dict[str, Rule] = {}
    tensors: dict[Tensor, Labels] = {}
    found = calls(model)
    _check_graph(model, found)
    last = model.outputs[0]._keras_history[0].name
    for call in found:
        inputs = [tensors[tensor] for tensor in call.inputs]
        rule = _find_rule_of_call(call, inputs, channels, excluded=call.name in exclude)
        if call.name in exclude or call.name == last:
            channels.fix(rule.output)
        rules[call.name], tensors[call.outputs[0]] = rule, rule.output
    return Network(
        arithmetic=model_arithmetic(model),
        calls=found,
        layers={layer.name: layer for layer in model.layers},
        rules=rules,
        roots=channels.roots(),
    )


def _size(weights: Iterable[np.ndarray | keras.Variable]) -> int:
    """Return the number of products for one position; biases need none."""
    return sum(int(np.prod(weight.shape)) for weight in weights if len(weight.shape) > 1)


def _check_names(exclude: Iterable[str], model: keras.Model) -> frozenset[str]:
    names = [layer.name for layer in model.layers]
    excluded = read_names(exclude)
    for name in sorted(excluded.difference(names)):
        raise unknown("layer", name, names)
    return excluded


def _check_graph(model: keras.Model, found: list[Call]) -> None:
    ends = len(model.inputs), len(model.outputs)
    if ends != (1, 1):
        raise ValueError(
            f"Model {model.name!r} must have one input and one output. Received: {ends[0]} and "
            f"{ends[1]}."
        )
    check_calls(found)


def _find_rule_of_call(
    call: Call, inputs: list[Labels], channels: Channels, *, excluded: bool
) -> Rule:
    layer: Any = call.layer
    shapes = [tensor.shape for tensor in (*call.inputs, *call.outputs)]
    reason = f"Layer {call.name!r} ({layer.__class__.__name__}) stands in the way: "
    size = shapes[0][-1]
    known = all(len(shape) > 1 and shape[-1] is not None for shape in shapes)
    if len(call.outputs) != 1 or size is None or not known:
        raise ValueError(
            f"{reason}it must output one tensor (batch, ..., channels) with a known number of "
            "channels."
        )
    if not call.inputs:
        return Rule(channels.whole(size))
    try:
        return find_rule(layer, inputs, channels)
    except ValueError as error:
        if excluded:
            return barrier(layer, inputs, channels)
        raise ValueError(
            f"{reason}{error} Name it in exclude, which keeps all channels that it reads and makes."
        ) from None
