"""Which images are held out: a share or a fold of them, with the same share of every class."""

import warnings
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from kcnn.checks import check_count

if TYPE_CHECKING:
    from kcnn.recipe import Data as DataSection


@dataclass(frozen=True)
class Fold:
    """One of several equal parts of the training images, as the validation set of one training.

    k-fold cross-validation is one training for each of k folds: every image is in the validation
    set once, and the mean of the k scores depends less on chance than one of them.

    Attributes:
        number: Which fold, from 0.
        of: How many folds there are, at least 2.

    Raises:
        ValueError: If there is no such fold.

    >>> Fold(5, of=5)
    Traceback (most recent call last):
    ValueError: Of 5 folds, number must be from 0 to 4. Received: number=5
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_count("of", self.of, minimum=2)
        check_count("number", self.number, minimum=0)
        if self.number >= self.of:
            raise ValueError(
                f"Of {self.of} folds, number must be from 0 to {self.of - 1}. "
                f"Received: number={self.number}"
            )


Share = float | Fold
"""How many images are held out: a share of them, or one fold."""


def validation_of(section: "DataSection") -> Share:
    """Return what a recipe says of the validation images, as `kcnn.data.load` takes it."""
    return Fold(section.fold or 0, of=section.folds) if section.folds else section.validation


def held_out_places(
    labels: np.ndarray, share: Share, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return the places of the images that are held out, sorted.

    Args:
        labels: int32 [N].
        share: How many.
        seed: Decides which.
        groups: A number for the group of each image, [N]. All images of a group are then held out,
            or none. A share is then that of one of several equal parts, 0.2 of five and 0.4 of two,
            as nearly as whole groups allow.

    Raises:
        ValueError: If there are fewer groups than folds.

    >>> groups = np.array([7, 8, 7, 8])
    >>> places = held_out_places(np.array([0, 0, 1, 1]), 0.5, 0, groups)
    >>> len(places), len(set(groups[places]))
    (2, 1)
    """
    if groups is not None:
        return _whole_groups(labels, share, seed, groups)
    order, count = stratified_order(labels, seed), len(labels)
    if isinstance(share, Fold):
        start, stop = (count * number // share.of for number in (share.number, share.number + 1))
    else:
        start, stop = 0, round(share * count)
    # Sorted, so that files on the disk are read from beginning to end.
    return np.sort(order[start:stop])


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return all indices in a random order in which every prefix has the class shares of the whole.

    The first tenth is thus a stratified sample, and so is the rest. Each image gets a random
    quantile within its class, and the images of all classes are sorted by quantile.

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_order(labels, seed=0)[:3]].tolist().count(1)
    1
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    quantile = (rank + 0.5) / np.repeat(counts, counts)
    ties = random.random(len(labels))
    return by_class[np.lexsort((ties, quantile))]


def _whole_groups(labels: np.ndarray, share: Share, seed: int, groups: np.ndarray) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold  # late: it takes a second to import

    count = len(np.unique(groups))
    of = share.of if isinstance(share, Fold) else max(2, min(round(1 / share), count))
    if count < of:
        received = f"{count} group{'s' * (count != 1)}"
        advice = "take fewer folds, or name" if isinstance(share, Fold) else "name"
        raise ValueError(
            f"Images of one group stay together, and {received} cannot be divided into {of} parts: "
            f"{advice} more groups. Training, validation and test images each need one."
        )
    splitter = StratifiedGroupKFold(of, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # That a class has fewer images than there are folds; `warn_of_missing` says which.
        warnings.simplefilter("ignore", UserWarning)
        # It refuses labels of which no class has as many images as there are folds.
        few = np.bincount(labels).max() < of
        parts = splitter.split(labels, np.zeros_like(labels) if few else labels, groups)
        number = share.number if isinstance(share, Fold) else 0
        return next(islice((places for _, places in parts), number, None))
