"""How much of a map's heat lies where the evidence is known to be."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.score import Score
from kcnn.explain.checks.subject import Subject, with_baselines
from kcnn.explain.heatmaps import Heatmaps


@dataclass(frozen=True, eq=False)
class Localization:
    """Heat maps of `n` images in which it is known where the evidence lies.

    `heatmaps.save("patches.png", images)` draws them.

    Attributes:
        images: float32 [n, H, W, C], as the model saw them.
        region: bool [n, H, W], where the evidence lies.
        heatmaps: of these images.
        heat: the share of the heat within the region, 0-1.
        peak: whether the map's peak lies within the region, the pointing game of Zhang et al.
            (https://arxiv.org/abs/1608.00507); of several equal peaks, the share that does.
    """

    images: np.ndarray
    region: np.ndarray
    heatmaps: Heatmaps
    heat: Score
    peak: Score


def localize(
    name: str,
    subject: Subject,
    cases: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> Localization:
    """Score the maps of images against the regions that hold the evidence.

    Args:
        name: of the test.
        subject: the method, model and layer.
        cases: images float32 [n, H, W, C], regions bool [n, H, W] and the classes [n] to explain.
        rng: draws the random maps.
    """
    images, region, class_index = cases
    heatmaps = subject.explain(images, class_index)
    maps = with_baselines(heatmaps.raw, images, rng)
    chance = float(region.mean()) if len(region) else None

    def score(what: str, within: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Score:
        values = {which: within(raw, region) for which, raw in maps.items()}
        return Score(f"{name}: {what} in the right place", True, values, chance, 1.0)

    heat, peak = score("heat", heat_within), score("peak", peak_within)
    return Localization(images, region, heatmaps, heat, peak)


def heat_within(raw: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the share [N] of the heat of maps [N, h, w] within the regions [N, H, W].

    A cell of the map counts in proportion to its area within the region. An empty map marks no
    place and has the score of chance, the region's share of the image.

    >>> region = np.array([[[True, True, False, False]]])
    >>> heat_within(np.array([[[3.0, 1.0]]]), region), heat_within(np.zeros((1, 1, 2)), region)
    (array([0.75]), array([0.5]))
    """
    within = _cells(region, raw.shape[1:])
    raw = np.where(raw.any(axis=(1, 2), keepdims=True), raw, 1).astype("float64")
    return (raw * within).sum(axis=(1, 2)) / raw.sum(axis=(1, 2))


def peak_within(raw: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the share [N], mostly 0 or 1, of the peaks of maps that lies within the regions."""
    return heat_within(raw == raw.max(axis=(1, 2), keepdims=True), region)


def _cells(region: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return the share of each cell [N, h, w] of a map that lies within the regions [N, H, W]."""
    shares = region[..., None].astype("float32")
    return tf.image.resize(shares, size, method="area").numpy()[..., 0]
