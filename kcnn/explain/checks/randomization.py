"""Parameter randomization: does the map depend on what the model has learned?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from kcnn.explain.checks.score import Score
from kcnn.explain.checks.subject import Subject
from kcnn.explain.heads import logits
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.trace import recorded

_DEPTHS = 8


@dataclass(frozen=True, eq=False)
class Cascade:
    """How like the trained model's maps those of a model are whose top layers are random.

    Attributes:
        layers: names [d], from the logits down: with the first, it and all above it are random;
            with the last, the whole model.
        correlation: float [d, n], Spearman's, -1 to 1, of the n images whose map is not empty.
        score: that of the last row. A random map has 0, an edge map, which no weight moves, 1.
    """

    layers: tuple[str, ...]
    correlation: np.ndarray
    score: Score


def randomization(
    subject: Subject, images: np.ndarray, heatmaps: Heatmaps, rng: np.random.Generator
) -> Cascade:
    """Return how the maps change as the layers are randomized one after the other from the top.

    The cascade of Adebayo et al., https://arxiv.org/abs/1810.03292. Kernels are drawn anew from a
    normal distribution of their own root mean square; vectors (biases, scales, statistics) are
    shuffled; what a subclassed model owns beside its layers comes last. The model gets its own
    weights back, also after an error.

    It shows whether the map is about the model: one that stays the same would be the same for a
    model that knows nothing, however well it fits the object. It cannot show that the map is right,
    as noise passes it. Nor need the correlation reach zero: random filters too answer more to a
    textured object than to an empty sky.

    Args:
        subject: makes the maps. Nothing else may use its model meanwhile.
        images: float32 [N, H, W, C].
        heatmaps: of these images with the model as it is.
        rng: draws the weights.
    """
    counted = ~heatmaps.is_empty
    images, classes = images[counted], heatmaps.class_index[counted]
    raw = heatmaps.raw[counted]
    groups = _layers_from_the_top(subject, images)
    stops = _stops(groups)
    rows = []
    with restored([weight for weights in groups.values() for weight in weights]):
        for name, weights in groups.items():
            for weight in weights:
                weight.assign(_random(weight, rng))
            if name in stops:
                rows.append(spearman(raw, subject.explain(images, classes).raw))
    noise = spearman(*rng.random((2, *raw.shape)))
    values = {"own": rows[-1], "random": noise, "edges": np.ones(len(raw))}
    score = Score("randomized weights: correlation", False, values, chance=0.0, perfect=0.0)
    return Cascade(stops, np.stack(rows), score)


@contextmanager
def restored(weights: list[keras.Variable]) -> Iterator[None]:
    """Give weights their values back at the end, bit by bit."""
    values = [np.array(weight.numpy()) for weight in weights]
    try:
        yield
    finally:
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rank correlation [N] of maps [N, h, w]; 0 where one of the two is constant.

    >>> rising = np.array([[[1, 2, 3]]])
    >>> spearman(rising, rising**3), spearman(rising, -rising), spearman(rising, 0 * rising)
    (array([1.]), array([-1.]), array([0.]))
    """
    first, second = (np.stack([_ranks(each) for each in maps]) for maps in (first, second))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.where(size > 0, size, 1)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks less their mean; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = counts.cumsum() - (counts - 1) / 2
    return ranks[inverse.ravel()] - (inverse.size + 1) / 2


def _layers_from_the_top(subject: Subject, images: np.ndarray) -> dict[str, list[keras.Variable]]:
    """Return the float weights by layer, the logits' first and the model's own last."""
    with recorded(subject.site.model) as calls:
        logits(subject.site.model, images[:1])
    seen, groups = set(), {}
    for name, call in calls.items():  # a layer before the model or block that it lies in
        weights = [w for w in getattr(call.operation, "weights", ()) if id(w) not in seen]
        seen.update(map(id, weights))
        floats = [weight for weight in weights if "float" in weight.dtype]
        if floats:
            groups[name] = floats
    groups = dict(reversed(groups.items()))
    model = subject.site.model  # a subclassed one may own weights that are no layer's
    own = [w for w in model.weights if id(w) not in seen and "float" in w.dtype]
    return groups | ({f"({model.name})": own} if own else {})


def _stops(groups: dict[str, list[keras.Variable]]) -> tuple[str, ...]:
    """Return after which layers to look: some of those with a kernel, the first and the last."""
    names = [name for name, weights in groups.items() if any(len(w.shape) > 1 for w in weights)]
    chosen = np.linspace(0, len(names) - 1, min(_DEPTHS, len(names))).round().astype(int)
    return (*(names[index] for index in chosen[:-1]), list(groups)[-1])


def _random(weight: keras.Variable, rng: np.random.Generator) -> np.ndarray:
    values = weight.numpy().astype("float32")
    if values.ndim == 1:
        return rng.permutation(values)
    return rng.normal(0, np.sqrt(np.mean(values**2)), values.shape)
