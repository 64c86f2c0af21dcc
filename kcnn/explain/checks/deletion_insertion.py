"""Deletion and insertion: does the prediction depend on the pixels that the map marks?"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.score import Score
from kcnn.explain.checks.subject import Subject, with_baselines
from kcnn.explain.heatmaps import Heatmaps

_STEPS = 16


@dataclass(frozen=True, eq=False)
class Curves:
    """How the probability of the class changes as an image is changed, hottest pixels first.

    Attributes:
        shares: float [s], 0-1, the share of the pixels that are changed.
        probability: float [N, s] for each of "own", "random" and "edges".
        score: the area under each curve, 0-1.
    """

    shares: np.ndarray
    probability: dict[str, np.ndarray]
    score: Score


def deletion_insertion(
    subject: Subject, images: np.ndarray, heatmaps: Heatmaps, rng: np.random.Generator
) -> tuple[Curves, Curves]:
    """Return the curves of deletion and of insertion (RISE, https://arxiv.org/abs/1806.07421).

    Deletion paints pixels with the mean color of all images: the sooner the probability falls, the
    better. Insertion uncovers them in a blurred image: the sooner it rises, the better.

    The test shows whether the model's answer depends on what the map marks, and needs no ground
    truth. It cannot show that the map is right: the model has never seen half-painted images, so
    part of every fall is mere damage. Compare the result with the random map, which does the same
    kind of damage; the number by itself means little.

    Args:
        subject: the method, model and layer.
        images: float32 [N, H, W, C].
        heatmaps: of these images and of the classes to follow.
        rng: draws the random maps, and the order of pixels with equal heat.
    """
    maps = with_baselines(heatmaps.raw, images, rng)
    ranks = {name: ranking(raw, images.shape[1:3], rng) for name, raw in maps.items()}
    painted = np.broadcast_to(images.mean(axis=(0, 1, 2)), images.shape)
    tests = {"deletion": (images, painted), "insertion": (blurred(images), images)}
    shares = np.linspace(0, 1, _STEPS + 1)
    curves = []
    for name, (start, end) in tests.items():
        probability = {
            which: _probabilities(subject, (start, end), rank, heatmaps.class_index)
            for which, rank in ranks.items()
        }
        areas = {which: np.trapezoid(p, shares, axis=-1) for which, p in probability.items()}
        score = Score(f"{name}: area under the curve", name == "insertion", areas)
        curves.append(Curves(shares, probability, score))
    return curves[0], curves[1]


def ranking(raw: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return the rank of each pixel in its image, int [N, H, W], 0 for the hottest.

    Maps are resized to the images, as for a picture of them. Among pixels of equal heat, for
    example where a map is zero, a random map of the same resolution decides.
    """
    resized = [
        tf.image.resize(each[..., None].astype("float32"), size).numpy().reshape(len(raw), -1)
        for each in (rng.random(raw.shape), raw)
    ]
    hottest_first = np.lexsort([-heat for heat in resized], axis=-1)
    return hottest_first.argsort(axis=-1).reshape(-1, *size)


def blurred(images: np.ndarray) -> np.ndarray:
    """Blur images with a Gaussian of an eighth of their size, which leaves colors but no shapes."""
    height, width = images.shape[1:3]
    rows = np.einsum("ij,njwc->niwc", _gaussian(height), images)
    return np.einsum("ij,nhjc->nhic", _gaussian(width), rows).astype("float32")


def _gaussian(size: int) -> np.ndarray:
    places = np.arange(size)
    weights = np.exp(-0.5 * ((places[:, None] - places) / (size / 8)) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _probabilities(
    subject: Subject,
    ends: tuple[np.ndarray, np.ndarray],
    ranks: np.ndarray,
    class_index: np.ndarray,
) -> np.ndarray:
    """Return the probability [N, steps + 1] of the classes while the first end becomes the second.

    Both `ends` are images [N, H, W, C]; pixels change in the order of `ranks`.
    """
    pixels, images = ranks[0].size, np.arange(len(ranks))
    found = []
    for step in range(_STEPS + 1):
        changed = (ranks < round(step / _STEPS * pixels))[..., None]
        shares = subject.probabilities(np.where(changed, ends[1], ends[0]).astype("float32"))
        found.append(shares[images, class_index])
    return np.stack(found, axis=-1)
