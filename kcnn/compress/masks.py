"""Magnitude masks, and an optimizer that applies and updates them after its steps.

The masks are variables of the optimizer. So the state of a training has them, JAX carries them
through its compiled steps, and the model stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcnn.layers.appearance import appears_as


@dataclass(frozen=True)
class MaskPlan:
    """The masks of one kernel.

    Attributes:
        first: the mask before the first step: 1 for weights that train, 0 for zeros.
        counts: how many weights each later update leaves, in their order; none for a fixed mask.
    """

    first: np.ndarray
    counts: tuple[int, ...] = ()


def kept_counts(size: int, begin: float, end: float, updates: int) -> tuple[int, ...]:
    """Return how many of `size` weights each update leaves, and before them the start.

    The sparsity rises from `begin` to `end` by equation 1 of Zhu and Gupta (2017),
    https://arxiv.org/abs/1710.01878. It is computed in float32 and rounded as TF-MOT does.

    >>> kept_counts(1000, 0.0, 0.8, 4)
    (1000, 538, 300, 212, 200)
    """
    one = np.float32(1)
    counts = []
    for number in range(updates + 1):
        progress = np.float32(number) / np.float32(updates) if updates else one
        sparsity = np.float32(begin - end) * (one - progress) ** 3 + np.float32(end)
        counts.append(int(max(np.round(np.float32(size) * (one - sparsity)), 1)))
    return tuple(counts)


def magnitude_mask(weights: Any, count: Any) -> Any:
    """Return a mask, shaped and typed as `weights`, of the `count` largest weights.

    Weights as large as the smallest of them are kept too.
    """
    ops: Any = keras.ops
    size = ops.abs(weights)
    ranked = ops.sort(ops.reshape(size, (-1,)))
    smallest = ops.take(ranked, int(np.prod(weights.shape)) - count)
    return ops.cast(size >= smallest, weights.dtype)


def two_to_four_mask(kernel: np.ndarray) -> np.ndarray:
    """Return the mask that leaves the two largest of every four consecutive input channels.

    Args:
        kernel: [..., inputs, outputs]. If the last group is smaller, two of it are left too.

    >>> two_to_four_mask(np.array([[1.0], [-4.0], [3.0], [2.0], [0.1]])).ravel()
    array([0., 1., 1., 0., 1.])
    """
    mask = np.zeros_like(kernel)
    for start in range(0, kernel.shape[-2], 4):
        group = np.s_[..., start : start + 4, :]
        order = np.argsort(-np.abs(kernel[group]), axis=-2, kind="stable")[..., :2, :]
        np.put_along_axis(mask[group], order, 1, axis=-2)
    return mask


def with_masks(
    stock: type[keras.optimizers.Optimizer],
    fast: type[keras.optimizers.Optimizer],
    plans: Sequence[tuple[keras.Variable, MaskPlan]],
    frequency: int,
) -> type[keras.optimizers.Optimizer]:
    """Return an optimizer that sets the weights outside the masks to zero after every step.

    Every `frequency` steps the masks are chosen again, from weights that the step has moved, the
    zeros included: what TF-MOT does before the next step.

    Args:
        stock: Keras's optimizer, as which the result is saved.
        fast: that optimizer or a subclass of it.
        plans: the kernels and their masks.
        frequency: steps between two updates.
    """
    base: Any = fast
    ops: Any = keras.ops
    plan_of: dict[int, MaskPlan] = {}  # by the place of a variable; Keras would track an attribute

    class Masks(base):
        __class__ = appears_as(stock)

        def build(self, variables: Sequence[keras.Variable]) -> None:
            if self.built:
                return
            super().build(variables)
            self._masks = [None] * len(variables)
            for kernel, plan in plans:
                place = self._get_variable_index(kernel)
                mask = self.add_variable_from_reference(kernel, name="mask")
                mask.assign(plan.first)
                self._masks[place], plan_of[place] = mask, plan

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, learning_rate)
            place = self._get_variable_index(variable)
            if place not in plan_of:
                return
            mask, moved = self._masks[place], ops.convert_to_tensor(variable)
            counts = plan_of[place].counts
            now = ops.convert_to_tensor(mask)
            if counts:
                now = self._updated(now, moved, counts)
                self.assign(mask, now)
            self.assign(variable, moved * now)

        def _updated(self, mask: Any, weights: Any, counts: tuple[int, ...]) -> Any:
            done = ops.cast(self.iterations, "int32") + 1
            number = done // frequency
            due = ops.logical_and(done % frequency == 0, number <= len(counts))
            count = ops.take(np.array(counts, np.int32), ops.clip(number - 1, 0, len(counts) - 1))
            return ops.cond(due, lambda: magnitude_mask(weights, count), lambda: mask)

    return Masks
