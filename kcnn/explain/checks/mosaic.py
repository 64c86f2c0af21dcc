"""The mosaic: does the map find the one of four pictures that shows the class?"""

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.localization import Localization, localize
from kcnn.explain.checks.subject import Subject


def mosaic(
    subject: Subject, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> Localization:
    """Shrink each image to a quarter, put it beside three of other classes, explain its class.

    After Arias-Duart et al., https://arxiv.org/abs/2109.15035, whose score, Focus, is the share of
    the heat in the right quarter. The four images have different classes where there are enough.
    An experiment confirms the right quarter: an image counts only if the logit of its class falls
    when the mean color covers its quarter, and falls more than for any other quarter.

    The test shows whether the map separates the evidence of two classes within one image, which a
    map of "the object" cannot do. It is limited by what the model sees: shrunken images are harder,
    and if the model also finds the class in another quarter, a faithful map shows that too and
    scores less than 1.

    Args:
        subject: the method, model and layer.
        images: float32 [N, H, W, C].
        labels: the true classes [N].
        rng: draws the other three images and the quarters.
    """
    everyone = np.arange(len(images))
    quarters = _quarters(images.shape[1:3])
    own = rng.integers(0, 4, len(images))
    members = np.stack([_members(n, int(own[n]), labels, rng) for n in range(len(images))])
    mosaics = _tiled(images, members)
    mean = images.mean(axis=(0, 1, 2))
    covered = [np.where(quarter[..., None], mean, mosaics) for quarter in quarters]
    scores = [subject.logits(each.astype("float32"))[everyone, labels] for each in covered]
    falls = subject.logits(mosaics)[everyone, labels] - np.stack(scores)  # [4, N]
    fall, others = falls[own, everyone], np.where(np.arange(4)[:, None] == own, -np.inf, falls)
    seen = (fall > 0) & (fall > others.max(axis=0))
    cases = mosaics[seen], quarters[own[seen]], labels[seen]
    return localize("mosaic", subject, cases, rng)


def _quarters(size: tuple[int, ...]) -> np.ndarray:
    """Return the area of each quarter of an image, bool [4, H, W], row by row."""
    lower, right = (np.arange(length) >= -(-length // 2) for length in size)
    number = 2 * lower[:, None] + right
    return number == np.arange(4)[:, None, None]


def _members(image: int, quarter: int, labels: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the indices of the four images of a mosaic, with the given one in its quarter."""
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
