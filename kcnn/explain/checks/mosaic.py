"""The mosaic: does the map find the one of four pictures that shows the class?"""

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.localization import Localization, localize
from kcnn.explain.checks.subject import Subject


def mosaic(
    subject: Subject, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> Localization:
    """Shrink each image to a quarter, set it among three of other classes, and explain its class.

    After Arias-Duart et al., https://arxiv.org/abs/2109.15035, whose score, Focus, is the share of
    the heat in the right quarter. The four are of different classes where there are as many. The
    right quarter is so by experiment too: an image counts only if the class's logit falls when the
    mean color covers that quarter, and by more than for any other quarter.

    It shows whether the map tells one class's evidence from another's in one and the same image,
    which a map of "the object" cannot do. It cannot show more than the model sees: shrunken images
    are harder for it, and where another quarter looks like the class to it, a faithful map says so
    and has less than 1.

    Args:
        subject: makes the maps.
        images: float32 [N, H, W, C].
        labels: the true classes [N].
        rng: draws the other three and the quarters.
    """
    everyone = np.arange(len(images))
    quarters = _quarters(images.shape[1:3])
    asked = rng.integers(0, 4, len(images))
    members = np.stack([_members(n, q, labels, rng) for n, q in zip(everyone, asked, strict=True)])
    mosaics = _tiled(images, members)
    mean = images.mean(axis=(0, 1, 2))
    covered = [np.where(quarter[..., None], mean, mosaics) for quarter in quarters]
    scores = [subject.logits(each.astype("float32"))[everyone, labels] for each in covered]
    falls = subject.logits(mosaics)[everyone, labels] - np.stack(scores)  # [4, N]
    own, others = falls[asked, everyone], np.where(np.arange(4)[:, None] == asked, -np.inf, falls)
    seen = (own > 0) & (own > others.max(axis=0))
    cases = mosaics[seen], quarters[asked[seen]], labels[seen]
    return localize("mosaic", subject, cases, rng)


def _quarters(size: tuple[int, int]) -> np.ndarray:
    """Return where each quarter of an image lies, bool [4, H, W], row by row."""
    lower, right = (np.arange(length) >= -(-length // 2) for length in size)
    number = 2 * lower[:, None] + right
    return number == np.arange(4)[:, None, None]


def _members(image: int, quarter: int, labels: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the four images of a mosaic, with the given one in its quarter."""
    classes = rng.permutation(np.unique(labels[labels != labels[image]]))
    members = [rng.choice(np.flatnonzero(labels == c)) for c in np.resize(classes, 3)]
    members.insert(quarter, image)
    return members


def _tiled(images: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return mosaics [N, H, W, C] of the members [N, 4], each image at half its size."""
    height, width = images.shape[1:3]
    half = -(-height // 2), -(-width // 2)
    small = tf.image.resize(images, half, method="area").numpy()[members]
    top, bottom = (np.concatenate([small[:, q], small[:, q + 1]], axis=2) for q in (0, 2))
    return np.concatenate([top, bottom], axis=1)[:, :height, :width]
