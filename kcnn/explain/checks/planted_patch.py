"""The planted patch: does the map find the patch that alone changed the model's prediction?"""

import numpy as np
import tensorflow as tf

from kcnn.explain.checks.localization import Localization, localize
from kcnn.explain.checks.subject import Subject

_TRIES = 12


def planted_patch(
    subject: Subject, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> Localization:
    """Plant the middle of one image in another of a different class, and explain the new class.

    The patch is the middle half, by height and width, of an image that the model predicts
    correctly and with at least its median confidence. It is planted anywhere. An experiment
    confirms that it is the cause: an image counts only if the model predicts the patch's class
    with it, but neither without it nor with the mean color in its place. Several patches are tried
    on each image, and the first that decides is kept, whatever its map looks like.

    The test shows whether the map finds what the answer depends on. It does not show how good the
    map is on natural images, where evidence has no sharp border. A score of 1 is not always
    possible: the rest of the image may hold weaker evidence for the class, and the cells of a deep
    layer see far beyond their own area.

    Args:
        subject: the method, model and layer.
        images: float32 [N, H, W, C].
        labels: the true classes [N].
        rng: draws patches and places.
    """
    scores = subject.logits(images)
    predicted, donors = scores.argmax(axis=-1), _donors(scores, labels)
    planted, classes = images.copy(), labels.copy()
    region, decided = np.zeros(images.shape[:3], bool), np.zeros(len(images), bool)
    for _ in range(_TRIES if len(donors) else 0):
        hosts = np.flatnonzero(~decided)
        if not len(hosts):
            break
        donor = rng.choice(donors, len(hosts))
        with_patch, blank, where = _plant(images, hosts, donor, rng)
        wanted = labels[donor]
        decides = (subject.predict(with_patch) == wanted) & (subject.predict(blank) != wanted)
        decides &= (predicted[hosts] != wanted) & (labels[hosts] != wanted)
        chosen = hosts[decides]
        planted[chosen], region[chosen] = with_patch[decides], where[decides]
        classes[chosen], decided[chosen] = wanted[decides], True
    cases = planted[decided], region[decided], classes[decided]
    return localize("planted patch", subject, cases, rng)


def _donors(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the correctly predicted images with at least the median confidence among them."""
    confidence = tf.nn.softmax(scores).numpy()[np.arange(len(labels)), labels]
    right = np.flatnonzero(scores.argmax(axis=-1) == labels)
    return right[confidence[right] >= np.median(confidence[right])] if len(right) else right


def _plant(
    images: np.ndarray, hosts: np.ndarray, donors: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hosts with the donors' middles, with the mean color instead, and the places."""
    sizes = images.shape[1:3]
    height, width = (max(1, size // 2) for size in sizes)
    top, left = ((size - part) // 2 for size, part in zip(sizes, (height, width), strict=True))
    middles = images[donors, top : top + height, left : left + width]
    with_patch, where = images[hosts], np.zeros((len(hosts), *sizes), bool)
    rows = rng.integers(0, sizes[0] - height + 1, len(hosts))
    columns = rng.integers(0, sizes[1] - width + 1, len(hosts))
    for n, (row, column) in enumerate(zip(rows, columns, strict=True)):
        place = n, slice(row, row + height), slice(column, column + width)
        with_patch[place], where[place] = middles[n], True
    mean = images.mean(axis=(0, 1, 2))
    return with_patch, np.where(where[..., None], mean, with_patch).astype("float32"), where
