"""Filter pruning: a smaller network of the same layers, which is faster."""

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
from kcnn.models.fits import check_graph
from kcnn.models.plain_layers import as_layers
from kcnn.models.rewrite import call_copy, fast_layer_class, rewrite
from kcnn.notebook import html_table


@dataclass(frozen=True)
class SlimResult:
    """A model with fewer filters, and what that saves.

    Attributes:
        model: a new functional model with layers of the same names, not compiled.
        before: parameters and MACs of the given model.
        after: parameters and MACs of the new model.
        kept: for each convolution and dense layer, the indices of its filters or units that are
            left, counted from 0.
    """

    model: keras.Model
    before: ModelArithmetic
    after: ModelArithmetic
    kept: dict[str, tuple[int, ...]]

    def _repr_html_(self) -> str:
        rows = [
            [name, each.parameters, each.macs]
            for name, each in (("before", self.before), ("after", self.after))
        ]
        layers = [[name, len(left)] for name, left in self.kept.items()]
        table = html_table(["", "parameters", "MACs"], rows, title=f"{self.model.name}, slim")
        return table + html_table(["layer", "filters left"], layers)


def slim(
    model: keras.Model,
    *,
    macs: float = 0.5,
    criterion: str = L1,
    exclude: Iterable[str] = (),
    multiple_of: int = 8,
) -> SlimResult:
    """Remove the weakest filters from a trained model until a fraction of its MACs is left.

    Use it for speed; `kcnn.prune` saves bytes only. The result is an ordinary, smaller network that
    is faster on every runtime. It has lost much of its accuracy: train it again before you use it,
    with `kcnn.compress.recover` or a training of your own. Until then it computes what `model`
    computes when the removed channels are zero wherever they are read.

    The filters of the whole network are ranked together by their L1 norms, or by the scales of the
    batch norms behind them. Each is divided by the mean of its layer; without that, some layers
    would be left with a single filter.

    Channels that a sum, a product or a group ties together get the mean score of their filters and
    are removed together. No layer loses all of its channels; the image and the logits lose none.
    The channels that a local response, layer or group norm or a softmax reads are kept, because
    their values depend on each other.

    Papers: Li et al., "Pruning Filters for Efficient ConvNets" (2016),
    https://arxiv.org/abs/1608.08710; Liu et al., "Learning Efficient Convolutional Networks through
    Network Slimming" (2017), https://arxiv.org/abs/1708.06519.

    Args:
        model: a Sequential or functional Keras 3 model with one input, one output and the channels
            last. It is not changed.
        macs: fraction of the model's multiply-accumulates that may be left, up to 1.
        criterion: "l1", or "batch_norm_scale", which keeps all filters that have no batch norm.
        exclude: names of layers that keep all channels.
        multiple_of: filters are removed in chunks of this size, so that a layer whose number of
            filters is a multiple of it stays so. LiteRT's int8 kernels are fastest for multiples of
            8: on an x86 CPU a ResNet-20 of 9, 18 and 36 filters takes 1.5 times as long as one of
            8, 16 and 32, for 1.26 times the MACs. 1 comes closest to `macs`, and suits networks
            with few filters.

    Raises:
        ValueError: an argument is out of its range, `macs` cannot be reached, or the channels of a
            layer cannot be followed; the message names it. `kcnn.compress.check_slim` raises the
            same without building the smaller model.

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
        model: the model to make smaller. This and all other arguments are those of `slim`.
        macs: fraction of the model's multiply-accumulates that may be left, up to 1.
        criterion: "l1" or "batch_norm_scale".
        exclude: names of layers that keep all channels.
        multiple_of: how many filters are removed at a time.

    Raises:
        ValueError: `slim` would raise the same.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> check_slim(model, macs=0.5)
    Traceback (most recent call last):
    ValueError: macs must be at least 1.0 for this model by criterion='l1', ...
    """
    _choose_filters(model, macs, criterion, exclude, multiple_of)


def _choose_filters(
    model: keras.Model, macs: float, criterion: str, exclude: Iterable[str], multiple_of: int
) -> tuple[Network, Kept]:
    """Check all arguments of `slim`; return the network and which of its channels are kept."""
    if isinstance(macs, bool) or not isinstance(macs, Real) or not 0 < macs <= 1:
        raise ValueError(f"macs must be above 0 and at most 1. Received: macs={macs!r}")
    check_count("multiple_of", multiple_of)
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    check_graph(model, "Slimming")
    network = analyze(as_layers(model), exclude)
    removed = select_units_to_remove(network, criterion, macs, multiple_of)
    return network, network.kept_without(removed)


def _build_smaller(network: Network, kept: Kept, name: str) -> keras.Model:
    """Return a new model of new layers, not compiled, that trains fast."""

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer, rule = network.layers[call.name], network.rules[call.name]
        weights = rule.weights(kept, layer.get_weights())
        return call_copy(layer, inputs, fast_layer_class(layer), weights, **rule.config(kept))

    return rewrite(network.calls, step, name=name)
