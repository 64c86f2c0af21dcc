"""Keep the zeros of a pruned model while it trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kcnn.compress.kernels import kernel_variables


@contextmanager
def keep_zeros(model: keras.Model) -> Iterator[None]:
    """Make optimizers leave the zeros in the kernels of `model` zero while inside.

    Each kernel gets a constraint, which an optimizer applies after its step. Afterwards the kernels
    have their own constraints again.
    """
    before = [(kernel, kernel.constraint) for kernel in kernel_variables(model).values()]
    try:
        for kernel, own in before:
            kernel.constraint = _Masked(keras.ops.cast(kernel != 0, kernel.dtype), own)
        yield
    finally:
        for kernel, own in before:
            kernel.constraint = own


class _Masked(keras.constraints.Constraint):
    def __init__(self, mask: Any, own: keras.constraints.Constraint | None) -> None:
        self.mask, self.own = mask, own

    def __call__(self, weights: Any) -> Any:
        return (weights if self.own is None else self.own(weights)) * self.mask
