"""A whole network, seen as the channels that flow through it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from kcnn.arithmetic import ModelArithmetic, model_arithmetic
from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.compress.call_checks import check_calls
from kcnn.compress.filters.channels import WHOLE, Channels, Kept
from kcnn.compress.filters.rule import Rule, barrier
from kcnn.compress.filters.rule_table import find_rule
from kcnn.compress.kernels import read_names
from kcnn.errors import unknown


@dataclass(frozen=True)
class Network:
    """The layers of a model, what each does to the channels, and which channels are tied."""

    arithmetic: ModelArithmetic
    calls: list[Call]
    layers: dict[str, keras.layers.Layer]
    rules: dict[str, Rule]
    roots: np.ndarray
    """For each label, the one that stands for all channels that it is tied to."""

    def groups(self) -> list[np.ndarray]:
        """Return the removable units, those together that occur in exactly the same tensors.

        A tensor consists of whole groups: it has a channel left if each group has one.
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

    def kept(self, removed: Iterable[int]) -> Kept:
        """Return which channels are left without the units `removed`."""
        stays = np.ones(len(self.roots), bool)
        stays[list(removed)] = False
        stays = stays[self.roots]
        return lambda labels: stays[labels]

    def macs(self, kept: Kept) -> int:
        """Return the multiply-accumulates of the network with the kept channels alone."""
        return sum(
            row.macs * _size(self.shrunk(row.name, kept)) // _size(self.layers[row.name].weights)
            for row in self.arithmetic.layers
            if row.macs
        )

    def shrunk(self, name: str, kept: Kept) -> list[np.ndarray]:
        """Return stand-ins, of one byte an element, for the weights of a layer that are left."""
        shapes = [weight.shape for weight in self.layers[name].weights]
        whole = [np.broadcast_to(np.int8(0), shape) for shape in shapes]
        return self.rules[name].weights(kept, whole)


def analyze(model: keras.Model, exclude: Iterable[str]) -> Network:
    """Follow the channels through `model`; those of the layers `exclude` stay.

    Raises:
        ValueError: a name in `exclude` is unknown, or the model cannot be followed; the message
            names the layer and says what to do.
    """
    exclude = _checked(exclude, model)
    channels, rules, tensors = Channels(), {}, {}
    found = calls(model)
    _check_graph(model, found)
    last = model.outputs[0]._keras_history[0].name
    for call in found:
        inputs = [tensors[tensor] for tensor in call.inputs]
        each = _rule(call, inputs, channels, excluded=call.name in exclude)
        if call.name in exclude or call.name == last:
            channels.fix(each.output)
        rules[call.name], tensors[call.outputs[0]] = each, each.output
    return Network(
        arithmetic=model_arithmetic(model),
        calls=found,
        layers={call.name: call.layer for call in found},
        rules=rules,
        roots=channels.roots(),
    )


def _size(weights: Iterable[np.ndarray | keras.Variable]) -> int:
    """Return how many products one position costs: biases have none."""
    return sum(int(np.prod(weight.shape)) for weight in weights if len(weight.shape) > 1)


def _checked(exclude: Iterable[str], model: keras.Model) -> frozenset[str]:
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
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise ValueError(
                f"Layer {layer.name!r} is a model within the model: build the model from its "
                "layers directly."
            )
    check_calls(found)


def _rule(call: Call, inputs: list[np.ndarray], channels: Channels, *, excluded: bool) -> Rule:
    layer, shapes = call.layer, [tensor.shape for tensor in (*call.inputs, *call.outputs)]
    reason = f"Layer {call.name!r} ({layer.__class__.__name__}) stands in the way: "
    if len(call.outputs) != 1 or any(len(shape) < 2 or shape[-1] is None for shape in shapes):
        raise ValueError(f"{reason}it must give one tensor (batch, ..., channels) of known size.")
    if not call.inputs:
        return Rule(channels.whole(shapes[0][-1]))
    try:
        return find_rule(layer, inputs, channels)
    except ValueError as error:
        if excluded:
            return barrier(layer, inputs, channels)
        raise ValueError(
            f"{reason}{error} Name it in exclude, and all channels that it reads and makes stay."
        ) from None
