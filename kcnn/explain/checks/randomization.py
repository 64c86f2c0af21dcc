"""Parameter randomization: does the map depend on what the model has learned?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
    """How similar the maps of a model with random top layers are to those of the trained model.

    Attributes:
        layers: names [d], from the logits down. At each, it and all layers above it are random; at
            the last, the whole model is.
        correlation: float [d, n], Spearman's rank correlation, -1 to 1, for the n images whose map
            is not empty.
        score: of the last row. A random map has 0; an edge map, which no weight changes, has 1.
    """

    layers: tuple[str, ...]
    correlation: np.ndarray
    score: Score


def randomization(
    subject: Subject, images: np.ndarray, heatmaps: Heatmaps, rng: np.random.Generator
) -> Cascade:
    """Return how the maps change as the layers are randomized one after the other from the top.

    The cascade of Adebayo et al., https://arxiv.org/abs/1810.03292. Kernels are replaced by normal
    noise of the same root mean square, and vectors (biases, scales, statistics) are shuffled. The
    weights that a subclassed model owns beside its layers come last. The model gets its own
    weights back, also after an error.

    The test shows whether the map depends on the model: a map that stays the same would be the
    same for a model that has learned nothing, however well it fits the object. It cannot show that
    the map is right: noise passes it. Nor does the correlation have to reach zero: random filters,
    too, answer more to a textured object than to an empty sky.

    Args:
        subject: the method, model and layer. Nothing else may use its model meanwhile.
        images: float32 [N, H, W, C].
        heatmaps: of these images, with the trained weights.
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
    """Restore the exact values of weights at the end of the `with` block."""
    values = [np.array(_values(weight)) for weight in weights]
    try:
        yield
    finally:
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rank correlation [N] of two maps [N, h, w] each; 0 where one is constant.

    >>> rising = np.array([[[1, 2, 3]]])
    >>> spearman(rising, rising**3), spearman(rising, -rising), spearman(rising, 0 * rising)
    (array([1.]), array([-1.]), array([0.]))
    """
    first, second = (np.stack([_ranks(each) for each in maps]) for maps in (first, second))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.where(size > 0, size, 1)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return centered ranks; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = counts.cumsum() - (counts - 1) / 2
    return ranks[inverse.ravel()] - (inverse.size + 1) / 2


def _layers_from_the_top(subject: Subject, images: np.ndarray) -> dict[str, list[keras.Variable]]:
    """Return the float weights by layer, from the logits down; those of no layer come last."""
    with recorded(subject.site.model) as calls:
        logits(subject.site.model, images[:1])
    seen: set[int] = set()
    groups: dict[str, list[keras.Variable]] = {}
    for name, call in calls.items():  # a layer comes before the model or block that contains it
        weights = [w for w in getattr(call.operation, "weights", ()) if id(w) not in seen]
        seen.update(map(id, weights))
        floats = [weight for weight in weights if "float" in weight.dtype]
        if floats:
            groups[name] = floats
    groups = dict(reversed(groups.items()))
    model = subject.site.model  # a subclassed model can own weights beside those of its layers
    own = [w for w in model.weights if id(w) not in seen and "float" in w.dtype]
    return groups | ({f"({model.name})": own} if own else {})


def _stops(groups: dict[str, list[keras.Variable]]) -> tuple[str, ...]:
    """Return the layers at which to compare maps: some of those with a kernel, and the last."""
    names = [name for name, weights in groups.items() if any(len(w.shape) > 1 for w in weights)]
    chosen = np.linspace(0, len(names) - 1, min(_DEPTHS, len(names))).round().astype(int)
    return (*(names[index] for index in chosen[:-1]), list(groups)[-1])


def _random(weight: keras.Variable, rng: np.random.Generator) -> np.ndarray:
    values = _values(weight).astype("float32")
    if values.ndim == 1:
        return rng.permutation(values)
    return rng.normal(0, np.sqrt(np.mean(values**2)), values.shape)


def _values(weight: Any) -> np.ndarray:
    return weight.numpy()
