"""Kernels whose weights share a few values, and an optimizer whose steps keep them shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcnn.layers.appearance import appears_as


@dataclass(frozen=True)
class Shared:
    """Which weights of a kernel share a value.

    Attributes:
        groups: for each weight of the flat kernel, the number of its value.
        firsts: for each value, the place of the first weight that has it.
        counts: for each value, how many weights have it.
        zero: the number of the value that stays 0, or None.
    """

    groups: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray
    zero: int | None = None

    @classmethod
    def of(cls, kernel: np.ndarray) -> "Shared":
        """Return how the weights of a kernel share their values already.

        >>> Shared.of(np.array([[0.5, 0.0], [0.5, 0.5]])).counts
        array([1, 3])
        """
        values, firsts, groups, counts = np.unique(
            kernel, return_index=True, return_inverse=True, return_counts=True
        )
        zeros = np.flatnonzero(values == 0)
        zero = int(zeros[0]) if zeros.size else None
        return cls(groups.ravel().astype(np.int32), firsts.astype(np.int32), counts, zero)


def share_values(kernel: np.ndarray, clusters: int) -> np.ndarray:
    """Return a kernel in which each weight has the nearest of `clusters` values, by k-means.

    k-means begins with values that are evenly spaced, as Han et al. found best for the accuracy.

    Args:
        kernel: the weights; zeros stay zeros, which takes one of the values.
        clusters: how many values; a kernel of no more different weights is returned as it is.

    >>> share_values(np.array([0.0, 0.1, 0.2, 0.9, 1.1]), 3)
    array([0.  , 0.15, 0.15, 1.  , 1.  ])
    """
    from sklearn.cluster import KMeans

    if np.unique(kernel).size <= clusters:
        return kernel
    free = kernel != 0
    weights = kernel[free].reshape(-1, 1)
    number = clusters - bool((~free).any())
    start = np.linspace(weights.min(), weights.max(), number).reshape(-1, 1)
    found = KMeans(number, init=start, n_init="auto").fit(weights)  # once, from this start
    shared = np.zeros_like(kernel)
    shared[free] = found.cluster_centers_[found.labels_, 0]
    return shared


def with_shared_values(
    stock: type[keras.optimizers.Optimizer],
    fast: type[keras.optimizers.Optimizer],
    plans: Sequence[tuple[keras.Variable, Shared]],
) -> type[keras.optimizers.Optimizer]:
    """Return an optimizer that moves weights which share a value together.

    Each takes the mean of their gradients. So a step is one of the shared values, as in "Deep
    Compression", which sums: for Adam, whose steps do not depend on the gradient's scale, that is
    the same.

    Args:
        stock: Keras's optimizer, as which the result is saved.
        fast: that optimizer or a subclass of it.
        plans: the kernels and which of their weights share a value.
    """
    base: Any = fast
    ops: Any = keras.ops
    shared_of: dict[int, Shared] = {}  # by the place of a variable; Keras would track an attribute

    class SharedValues(base):
        __class__ = appears_as(stock)

        def build(self, variables: Sequence[keras.Variable]) -> None:
            if self.built:
                return
            super().build(variables)
            for kernel, shared in plans:
                shared_of[self._get_variable_index(kernel)] = shared

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            shared = shared_of.get(self._get_variable_index(variable))
            if shared is None:
                super().update_step(gradient, variable, learning_rate)
                return
            super().update_step(_means(gradient, shared), variable, learning_rate)
            # Vectorized kernels may round the last weights of an array otherwise than the others.
            values = ops.take(ops.reshape(variable, (-1,)), shared.firsts)
            moved = ops.take(values, shared.groups)
            self.assign(variable, ops.reshape(moved, variable.shape))

    def _means(gradient: Any, shared: Shared) -> Any:
        flat, number = ops.reshape(gradient, (-1,)), len(shared.firsts)
        sums = ops.segment_sum(flat, shared.groups, num_segments=number)
        weights = 1 / shared.counts
        if shared.zero is not None:
            weights[shared.zero] = 0
        means = sums * ops.cast(weights, sums.dtype)
        return ops.reshape(ops.take(means, shared.groups), gradient.shape)

    return SharedValues
