"""Channels of a network, and which of them can only be removed together."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

# The channel, by its label, at each position along an axis of a tensor or of a weight.
Labels = np.ndarray
# Returns for each label whether its channel is kept.
Kept = Callable[[Labels], np.ndarray]

# Union-find root of all channels that must be kept.
WHOLE = 0


class Channels:
    """All channels of a network, in a union-find structure; each of its sets is a removable unit.

    A residual sum adds channel by channel: removing the fifth channel of one summand removes the
    fifth of all others. Such channels are tied, which gives them one root.

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
        """Return labels of channels that must be kept."""
        return np.full(count, WHOLE)

    def fresh(self, count: int) -> Labels:
        """Return labels of new channels, which are not tied to others yet."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, *tensors: Labels) -> None:
        """Tie channels at the same position: they are removed together or not at all."""
        for first, second in pairwise(tensors):
            for one, other in zip(first, second, strict=True):
                low, high = sorted((self._root(one), self._root(other)))
                self._parents[high] = low

    def fix(self, labels: Labels) -> None:
        """Mark channels as ones that must be kept."""
        self.tie(labels, self.whole(len(labels)))

    def roots(self) -> Labels:
        """Return the root of every label; labels that are tied have the same root."""
        return np.array([self._root(label) for label in self._parents])

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            label = self._parents[label] = self._parents[self._parents[label]]
        return label
