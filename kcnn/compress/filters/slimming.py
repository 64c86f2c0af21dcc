"""Filter pruning: a smaller network of the same layers, which really is faster."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import keras
import numpy as np

from kcnn.arithmetic import ModelArithmetic, model_arithmetic
from kcnn.arithmetic.layer_calls import Call
from kcnn.checks import check_count
from kcnn.compress.filters.channels import Kept
from kcnn.compress.filters.network import Network, analyze
from kcnn.compress.filters.ranking import select_units_to_remove
from kcnn.compress.filters.rule import CRITERIA, L1
from kcnn.errors import unknown
from kcnn.models.rewrite import call_copy, fast_layer_class, rewrite


@dataclass(frozen=True)
class SlimResult:
    """A model with fewer filters, and what that saves."""

    model: keras.Model
    """A new functional model of the same layers by name, not compiled."""
    before: ModelArithmetic
    """What the model that was given costs."""
    after: ModelArithmetic
    """What the new one costs."""
    kept: dict[str, tuple[int, ...]]
    """For each convolution and dense layer, which of its filters or units are left, from 0."""


def slim(
    model: keras.Model,
    *,
    macs: float = 0.5,
    criterion: str = L1,
    exclude: Iterable[str] = (),
    multiple_of: int = 8,
) -> SlimResult:
    """Take the weakest filters out of a trained model until a share of its MACs is left.

    Use it for speed, where `kcnn.prune` saves bytes alone: the result is an ordinary, smaller
    network, for every runtime. It has lost much of its accuracy; train it with `kcnn.train` before
    it is used. Until then it computes what `model` does if the channels that went are zero wherever
    they are read.

    Filters of the whole network are ranked together by their L1 norms, or by the scales of the
    batch norms behind them, each divided by the mean of its layer: norms that are not divided leave
    single filters in some layers.

    Channels that a sum, a product or a group ties together are judged by the mean of their filters,
    and go together. No layer loses all; images and answers lose none. Channels that a local
    response, layer or group norm or a softmax reads stay, since what is left of them would come out
    different.

    Papers: Li et al., "Pruning Filters for Efficient ConvNets" (2016),
    https://arxiv.org/abs/1608.08710; Liu et al., "Learning Efficient Convolutional Networks through
    Network Slimming" (2017), https://arxiv.org/abs/1708.06519.

    Args:
        model: a Sequential or functional Keras 3 model with one input, one output and the channels
            last. It is left as it is.
        macs: multiply-accumulates that may be left, as a share of the model's, up to 1.
        criterion: "l1", or "batch_norm_scale"; by this one, filters without batch norm stay.
        exclude: names of layers of which every channel stays.
        multiple_of: filters go so many at a time, so that layers keep multiples of it where they
            had some. LiteRT's int8 kernels like eights: on an x86 CPU a ResNet-20 of 9, 18 and 36
            filters takes 1.5 times as long as one of 8, 16 and 32, for 1.26 times the MACs. 1 comes
            closest to `macs`, and suits networks of few filters.

    Raises:
        ValueError: an argument is out of its range, `macs` cannot be reached, or the model has a
            layer of a kind whose channels cannot be followed; the message names it.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="conv"),
    ...                           keras.layers.Flatten(), keras.layers.Dense(10, name="logits")])
    >>> result = slim(model, macs=0.5)
    >>> {name: len(filters) for name, filters in result.kept.items()}
    {'conv': 16, 'logits': 10}
    >>> result.before.macs, result.after.macs
    (42624, 21312)
    """
    network, kept = _choose_filters(model, macs, criterion, exclude, multiple_of)
    smaller = _build_smaller(network, kept, model.name)
    return SlimResult(
        model=smaller,
        before=network.arithmetic,
        after=model_arithmetic(smaller),
        kept={
            name: tuple(map(int, np.flatnonzero(kept(rule.output))))
            for name, rule in network.rules.items()
            if L1 in rule.scores
        },
    )


def check_slim(
    model: keras.Model,
    *,
    macs: float = 0.5,
    criterion: str = L1,
    exclude: Iterable[str] = (),
    multiple_of: int = 8,
) -> None:
    """Check that `slim` accepts these arguments, without building the smaller model.

    Args:
        model: as of `slim`, and so are all others.
        macs: multiply-accumulates that may be left, as a share of the model's, up to 1.
        criterion: "l1" or "batch_norm_scale".
        exclude: names of layers of which every channel stays.
        multiple_of: how many filters go at a time.

    Raises:
        ValueError: `slim` would raise it; the message is the same.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> check_slim(model, macs=0.5)
    Traceback (most recent call last):
    ValueError: macs must be at least 1.0 for this model by criterion='l1', ...
    """
    _choose_filters(model, macs, criterion, exclude, multiple_of)


def _choose_filters(
    model: keras.Model, macs: float, criterion: str, exclude: Iterable[str], multiple_of: int
) -> tuple[Network, Kept]:
    """Check all arguments of `slim` and return which channels of the network are left."""
    if isinstance(macs, bool) or not isinstance(macs, Real) or not 0 < macs <= 1:
        raise ValueError(f"macs must be above 0 and at most 1. Received: macs={macs!r}")
    check_count("multiple_of", multiple_of)
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    network = analyze(model, exclude)
    return network, network.kept(select_units_to_remove(network, criterion, macs, multiple_of))


def _build_smaller(network: Network, kept: Kept, name: str) -> keras.Model:
    """Return a new model of new layers, not compiled, prepared for the training that follows."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, rule = call.layer, network.rules[call.name]
        weights = rule.weights(kept, layer.get_weights())
        return call_copy(layer, inputs, fast_layer_class(layer), weights, **rule.config(kept))

    return rewrite(network.calls, step, name=name)
