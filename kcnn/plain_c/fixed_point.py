"""TensorFlow Lite's integer arithmetic, as far as an export does it.

Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (2018), https://arxiv.org/abs/1712.05877. Names and roundings are
those of TensorFlow Lite and gemmlowp, because the results must be the same to the last bit.
"""

import math
from typing import NamedTuple

import numpy as np

from kcnn.plain_c.graph import Value

_LARGEST = 2**31 - 1
_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


class Multiplier(NamedTuple):
    """A real factor as an integer: `significand * 2 ** (shift - 31)`."""

    significand: int
    shift: int


def multiplier(real: float) -> Multiplier:
    """Return a positive real factor as the integer and the shift that kernels multiply by.

    >>> multiplier(0.75)
    Multiplier(significand=1610612736, shift=0)
    """
    fraction, shift = math.frexp(real)
    significand = math.floor(fraction * 2**31 + 0.5)
    if significand == 2**31:
        significand, shift = significand // 2, shift + 1
    return Multiplier(0, 0) if shift < -31 else Multiplier(significand, shift)


class ExactMultiplier(NamedTuple):
    """A real factor with all bits of a double: `significand / 2 ** shift`."""

    significand: int
    shift: int


def exact_multiplier(real: float) -> ExactMultiplier:
    """Return a positive real factor as an integer of 53 bits and a shift of at least 33.

    Raises:
        ValueError: the factor is 2**19 or more, which no layer has.

    >>> exact_multiplier(0.75)
    ExactMultiplier(significand=6755399441055744, shift=53)
    """
    fraction, exponent = math.frexp(real)
    shift = 53 - exponent
    if shift < 33:
        raise ValueError(f"Plain C multiplies sums by less than {2**19:,}. Received: {real:g}.")
    # Shifted by more than 95 bits, every sum is zero; C cannot shift by so much.
    return ExactMultiplier(0, 53) if shift > 95 else ExactMultiplier(int(fraction * 2**53), shift)


def effective_scales(source: Value, kernel: Value, target: Value, channels: int) -> list[float]:
    """Return the real factor from a sum to an output step, for each output channel."""
    scales = kernel.scales.astype(np.float64) * source.scale / target.scale
    return np.broadcast_to(scales, channels).tolist()


def clamps(activation: int, target: Value) -> tuple[int, int]:
    """Return the smallest and the largest stored output behind a fused activation.

    Args:
        activation: the schema's `ActivationFunctionType`.
        target: the output.

    Raises:
        ValueError: the activation is none of ReLU, ReLU6 and ReLU between -1 and 1.
    """
    limits = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
    if activation not in limits:
        raise ValueError(f"Plain C has no code for a fused {_ACTIVATIONS[activation]}.")
    smallest, largest = (0, 255) if target.dtype == "uint8" else (-128, 127)

    def stored(real: float | None, otherwise: int) -> int:
        if real is None:
            return otherwise
        steps = np.float32(real) / np.float32(target.scale)
        return target.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    low, high = limits[activation]
    return max(smallest, stored(low, smallest)), min(largest, stored(high, largest))


def doubled_high_product(one: int, other: int) -> int:
    """Return `one * other / 2**31`, rounded to nearest, halves up."""
    return min((one * other + 2**30) >> 31, _LARGEST)


def rounded_shift(value: int, bits: int) -> int:
    """Return `value / 2**bits`, rounded to nearest, halves away from zero."""
    rest, mask = value & ((1 << bits) - 1), (1 << bits) - 1
    return (value >> bits) + (rest > (mask >> 1) + (value < 0))


def saturated(value: int) -> int:
    """Return a value as a 32-bit integer holds it."""
    return max(-(2**31), min(value, _LARGEST))
