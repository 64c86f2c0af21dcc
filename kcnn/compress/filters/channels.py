"""Channels by number, and which of them can only be removed together."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

# The number of a channel for each place along the last axis of a tensor or of a weight.
Labels = np.ndarray
# Says of each label whether its channel is kept.
Kept = Callable[[Labels], np.ndarray]

# The channel that all those are tied to which cannot be removed.
WHOLE = 0


class Channels:
    """All channels of a network: a union-find structure, each class of it one removable unit.

    A residual sum adds channel by channel: if the fifth of one summand goes, the fifth of all
    others must go too. Such channels are tied, and have one root.

    >>> channels = Channels()
    >>> image, conv, shortcut = channels.whole(3), channels.fresh(2), channels.fresh(2)
    >>> channels.tie(conv, shortcut)
    >>> roots = channels.roots()
    >>> roots[conv] == roots[shortcut]
    array([ True,  True])
    """

    def __init__(self) -> None:
        self._parents = [WHOLE]

    def whole(self, count: int) -> Labels:
        """Return labels of channels that stay."""
        return np.full(count, WHOLE)

    def fresh(self, count: int) -> Labels:
        """Return labels of channels that belong to no others yet."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, *tensors: Labels) -> None:
        """Let channels that stand at the same place be removed together or not at all."""
        for first, second in pairwise(tensors):
            for one, other in zip(first, second, strict=True):
                low, high = sorted((self._root(one), self._root(other)))
                self._parents[high] = low

    def fix(self, labels: Labels) -> None:
        """Let channels stay."""
        self.tie(labels, self.whole(len(labels)))

    def roots(self) -> Labels:
        """Return for every label the one that stands for all that it is tied to."""
        return np.array([self._root(label) for label in self._parents])

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            label = self._parents[label] = self._parents[self._parents[label]]
        return label
