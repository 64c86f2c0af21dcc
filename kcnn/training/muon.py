"""Muon: the step of a filter bank is replaced by the orthogonal matrix that is nearest to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from kcnn.callbacks.plateau import is_scheduled
from kcnn.checks import check_count, check_positive
from kcnn.layers.appearance import appears_as
from kcnn.training.schedules import change_of_rate

_KERNEL = r"(^|/)(pointwise_)?kernel(:\d+)?$"
_IMAGE_CHANNELS = 4
# Of the polynomial a x + b x^3 + c x^5, chosen by Jordan for the steepest slope at 0.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_MOST_ITERATIONS = 5
_TINY = 1e-16  # in place of the norm of a step that is zero


@dataclass(frozen=True, kw_only=True)
class Muon:
    """How the optimizer "muon" treats filters; all other weights are SGD's.

    Attributes:
        rate: factor on the learning rate. A step changes a filter bank by a matrix whose singular
            values are about `rate * learning_rate`, whatever the gradient's size.
        momentum: of the filters, 0 to below 1; airbench's 0.6, for long trainings 0.95.
        iterations: of Newton-Schulz, 1 to 5. 5 bring the singular values to 0.7-1.2; 3, as in
            airbench, leave the smallest ones small.
        normalize: scale each filter bank before its step so that a filter has a norm of 1 on
            average, as airbench does. Every step then changes the same share of it. It is for
            networks in which a batch norm follows each convolution.

    Raises:
        ValueError: a value is out of its range.
    """

    rate: float = 1.0
    momentum: float = 0.6
    iterations: int = 5
    normalize: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_positive("rate", self.rate)
        check_count("iterations", self.iterations)
        if self.iterations > _MOST_ITERATIONS:
            raise ValueError(
                f"iterations must be at most {_MOST_ITERATIONS}: more bring nothing. "
                f"Received: iterations={self.iterations}"
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1). Received: momentum={self.momentum}")


def with_muon(
    sgd: type[keras.optimizers.Optimizer], settings: Muon
) -> type[keras.optimizers.Optimizer]:
    """Return `sgd`, a subclass of Keras's SGD with momentum, with Muon's steps for filters.

    `keras.optimizers.Muon` leaves every variable that is no matrix to AdamW, and with it all
    convolutions. Here a convolution's kernel is the matrix [height * width * inputs, outputs]. As
    Jordan advises, a convolution that reads the image, the last kernel (the classifier), biases and
    batch norms are not Muon's.

    A filter's velocity is that of SGD, so that a file with the optimizer loads as Keras's SGD.

    Paper: Jordan et al., "Muon" (2024), https://kellerjordan.github.io/posts/muon/.
    """
    base: Any = sgd

    class Filters(base):
        __class__ = appears_as(keras.optimizers.SGD)

        def build(self, variables: Sequence[keras.Variable]) -> None:
            super().build(variables)
            self._filters = find_filters(variables)
            if not self._filters:
                raise ValueError(
                    "Muon has nothing to do: no kernel trains except the last one and convolutions "
                    "that read the image. Take 'sgd'."
                )

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            place = self._get_variable_index(variable)
            if place not in self._filters:
                super().update_step(gradient, variable, learning_rate)
                return
            ops: Any = keras.ops
            rate, gradient = (ops.cast(each, variable.dtype) for each in (learning_rate, gradient))
            velocity, momentum = self.momentums[place], settings.momentum
            old = velocity * change_of_rate(self, rate) if is_scheduled(self) else velocity
            moved = momentum * old - rate * gradient
            self.assign(velocity, moved)
            step = momentum * moved - rate * gradient if self.nesterov else moved
            before = _normalized(variable) if settings.normalize else variable
            direction = orthogonalize(step, settings.iterations)
            self.assign(variable, before + settings.rate * rate * direction)

    return Filters


def find_filters(variables: Sequence[keras.Variable]) -> tuple[int, ...]:
    """Return the places of the kernels whose steps are orthogonalized.

    They are kernels of convolutions and dense layers, without the last one, depthwise ones and
    convolutions that read an image, with at most 4 channels.
    """
    kernels = [
        (place, variable.shape)
        for place, variable in enumerate(variables)
        if re.search(_KERNEL, variable.name) and len(variable.shape) >= 2
    ]

    def is_hidden(shape: tuple[int, ...]) -> bool:
        return len(shape) == 2 or (shape[-2] > _IMAGE_CHANNELS and shape[-1] > 1)

    return tuple(place for place, shape in kernels[:-1] if is_hidden(shape))


def orthogonalize(kernel: Any, iterations: int = 5) -> Any:
    """Return about the nearest matrix with orthonormal rows or columns, shaped as `kernel`.

    The iteration is Newton-Schulz's. It computes in float32, also where the model computes in
    bfloat16: the small square matrices have to be exact, and with large batches all of it is a few
    hundredths of a training step. A kernel with more outputs than inputs is scaled up by the root
    of their ratio, as Jordan does.

    Args:
        kernel: a step of any scale, [..., outputs].
        iterations: see `Muon`.

    >>> import numpy as np
    >>> step = np.random.default_rng(0).normal(size=(3, 3, 8, 16)).astype("float32")
    >>> matrix = keras.ops.convert_to_numpy(orthogonalize(step)).reshape(72, 16)
    >>> singular_values = np.linalg.svd(matrix, compute_uv=False)
    >>> bool(0.6 < singular_values.min() < singular_values.max() < 1.3)
    True
    """
    ops: Any = keras.ops
    inputs, outputs = prod(kernel.shape[:-1]), kernel.shape[-1]
    x = ops.reshape(ops.cast(kernel, "float32"), (inputs, outputs))
    if inputs > outputs:  # the smaller side decides the size of the products
        x = ops.transpose(x)
    x = x / _norm(x)
    x = ops.matmul(_polynomial_of(ops.matmul(x, ops.transpose(x)), iterations), x)
    if inputs > outputs:
        x = ops.transpose(x)
    x = ops.reshape(x, kernel.shape) * max(1.0, outputs / inputs) ** 0.5
    return ops.cast(x, kernel.dtype)


def _polynomial_of(gram: Any, iterations: int) -> Any:
    """Return the matrix by which Newton-Schulz multiplies x, whose product x x^T is `gram`.

    The iterations are x <- p(x x^T) x; here only their small square matrices are iterated, which
    costs less than half for the filters of VGG. Rounding errors of a `gram` grow twelvefold an
    iteration where it is close to 0: after five they still do not matter in float32.
    """
    ops: Any = keras.ops
    a, b, c = _COEFFICIENTS
    one, product = a * ops.eye(gram.shape[0], dtype=gram.dtype), None
    for number in range(iterations):
        factor = one + b * gram + c * ops.matmul(gram, gram)
        product = factor if product is None else ops.matmul(factor, product)
        if number < iterations - 1:
            gram = ops.matmul(ops.matmul(factor, gram), factor)
    return product


def _normalized(kernel: Any) -> Any:
    """Return `kernel` scaled so that its filters have a norm of 1 on average."""
    ops: Any = keras.ops
    values = ops.cast(ops.convert_to_tensor(kernel), "float32")
    return ops.cast(values * (kernel.shape[-1] ** 0.5 / _norm(values)), kernel.dtype)


def _norm(values: Any) -> Any:
    """Return the root of the sum of all squares, not quite 0."""
    ops: Any = keras.ops
    return ops.maximum(ops.sqrt(ops.sum(ops.square(values))), _TINY)
