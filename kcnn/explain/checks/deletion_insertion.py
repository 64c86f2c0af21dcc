"""Deletion and insertion: does the prediction hang on the pixels that the map calls important?"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.score import Score
from kcnn.explain.checks.subject import Subject, with_baselines
from kcnn.explain.heatmaps import Heatmaps

_STEPS = 16


@dataclass(frozen=True, eq=False)
class Curves:
    """How the probability of the class moves as an image is changed, hottest pixels first.

    Attributes:
        shares: float [s], 0-1, the share of the pixels changed.
        probability: float [N, s] under each of "own", "random" and "edges".
        score: the area under each curve, 0-1.
    """

    shares: np.ndarray
    probability: dict[str, np.ndarray]
    score: Score


def deletion_insertion(
    subject: Subject, images: np.ndarray, heatmaps: Heatmaps, rng: np.random.Generator
) -> tuple[Curves, Curves]:
    """Return the courses of deletion and of insertion (RISE, https://arxiv.org/abs/1806.07421).

    Deletion paints pixels with the mean color of all images: the sooner the probability falls, the
    better. Insertion uncovers them in a blurred image: the sooner it rises, the better.

    It shows whether the model's answer hangs on what the map marks, with no ground truth needed. It
    cannot show that the map is right: half-painted images are unlike any that the model learned
    from, so part of every fall is mere damage. Read it against the random map, which does the same
    kind of damage, and not as a number of its own.

    Args:
        subject: makes the maps.
        images: float32 [N, H, W, C].
        heatmaps: of these images and the classes to follow.
        rng: draws the random maps, and the order of pixels that a map holds equal.
    """
    maps = with_baselines(heatmaps.raw, images, rng)
    ranks = {name: ranking(raw, images.shape[1:3], rng) for name, raw in maps.items()}
    painted = np.broadcast_to(images.mean(axis=(0, 1, 2)), images.shape)
    tests = {"deletion": (images, painted), "insertion": (blurred(images), images)}
    shares = np.linspace(0, 1, _STEPS + 1)
    curves = []
    for name, (start, end) in tests.items():
        probability = {
            which: _course(subject, start, end, rank, heatmaps.class_index)
            for which, rank in ranks.items()
        }
        areas = {which: np.trapezoid(p, shares, axis=-1) for which, p in probability.items()}
        score = Score(f"{name}: area under the curve", name == "insertion", areas)
        curves.append(Curves(shares, probability, score))
    return curves[0], curves[1]


def ranking(raw: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return each pixel's place in its image, int [N, H, W], 0 for the hottest.

    Maps are stretched to the images as they are shown. Where one is constant, as where it is zero,
    a random map of the same resolution decides.
    """
    stretched = [
        tf.image.resize(each[..., None].astype("float32"), size).numpy().reshape(len(raw), -1)
        for each in (rng.random(raw.shape), raw)
    ]
    hottest_first = np.lexsort([-heat for heat in stretched], axis=-1)
    return hottest_first.argsort(axis=-1).reshape(-1, *size)


def blurred(images: np.ndarray) -> np.ndarray:
    """Return the images under a Gaussian of an eighth of their size: colors, but no shapes."""
    height, width = images.shape[1:3]
    rows = np.einsum("ij,njwc->niwc", _gaussian(height), images)
    return np.einsum("ij,nhjc->nhic", _gaussian(width), rows).astype("float32")


def _gaussian(size: int) -> np.ndarray:
    places = np.arange(size)
    weights = np.exp(-0.5 * ((places[:, None] - places) / (size / 8)) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _course(
    subject: Subject,
    start: np.ndarray,
    end: np.ndarray,
    ranks: np.ndarray,
    class_index: np.ndarray,
) -> np.ndarray:
    """Return the probability [N, steps + 1] of the classes while `start` turns into `end`."""
    pixels, images = ranks[0].size, np.arange(len(ranks))
    course = []
    for step in range(_STEPS + 1):
        changed = (ranks < round(step / _STEPS * pixels))[..., None]
        scores = subject.logits(np.where(changed, end, start).astype("float32"))
        course.append(tf.nn.softmax(scores).numpy()[images, class_index])
    return np.stack(course, axis=-1)
