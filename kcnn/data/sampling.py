"""Which training images an epoch has: each of them once, or of every class as many."""

from typing import Literal, get_args

import numpy as np

from kcnn.errors import unknown

Sampling = Literal["uniform", "balanced"]
"""What an epoch is made of: see `kcnn.data.load`."""


def check_sampling(sampling: str) -> None:
    """Raise a ValueError for another word than those of `Sampling`."""
    if sampling not in get_args(Sampling):
        raise unknown("sampling", sampling, get_args(Sampling))


def balanced_places(labels: np.ndarray, size: int) -> np.ndarray:
    """Return where an epoch with as many images of every class finds them, int64 [size].

    The places are those in a list of all images that is sorted by class. With the images of each
    class in a new random order in each epoch, a class with many images shows other ones each time,
    and one with few shows all of them several times.

    Args:
        labels: The classes of the images, int32 [N]. Classes without images do not count.
        size: Number of images of an epoch. The first classes have one more if it does not divide.

    >>> balanced_places(np.array([0, 0, 0, 0, 2]), 6)
    array([0, 4, 1, 4, 2, 4])
    """
    _, starts, counts = np.unique(np.sort(labels), return_index=True, return_counts=True)
    turn, which = np.divmod(np.arange(size), len(counts))
    return starts[which] + turn % counts[which]
