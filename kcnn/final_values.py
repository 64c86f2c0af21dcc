"""What the operations at the end of a graph do to logits and probabilities.

The readers of Keras graphs and of `.tflite` files share these rules, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kcnn.answers import UNKNOWN

DEEPEST = 64
"""How many operations the readers go back from a graph's output."""

_ROUNDING = 0.02  # of a bound, by the constants of an int8 file


@dataclass(frozen=True)
class Values:
    """The values of a tensor.

    Attributes:
        activation: "softmax", "log_softmax", "sigmoid", "log_sigmoid", None for logits, or
            `UNKNOWN`. "sigmoid" stands for anything from 0 to `bound`.
        bound: what sigmoids cannot exceed, and what softmax rows add up to.
    """

    activation: str | None
    bound: float = 1.0

    @property
    def final(self) -> str | None:
        """What these values are as a model's answers; `UNKNOWN` if they are no probabilities."""
        exact = self.activation != "softmax" or self.bound >= 1 - _ROUNDING
        return self.activation if exact and self.bound <= 1 + _ROUNDING else UNKNOWN


LOGITS, NOT_KNOWN = Values(None), Values(UNKNOWN)


def joined(parts: Sequence[Values]) -> Values:
    """Return what a concatenation holds: rows of several softmaxes are no probabilities."""
    if len(parts) == 1:
        return parts[0]
    kinds = {each.activation for each in parts}
    if len(kinds) != 1 or not kinds <= {"sigmoid", None}:
        return NOT_KNOWN
    return Values(kinds.pop(), max(each.bound for each in parts))


def part(values: Values) -> Values:
    """Return what a slice or a mean of values holds, which may cut the rows of a softmax."""
    return values if values.activation in ("sigmoid", None) else NOT_KNOWN


def added(parts: Sequence[Values], constants: Sequence[float] = ()) -> Values:
    """Return what a sum holds, also a difference of logits."""
    kinds = {each.activation for each in parts}
    if kinds == {None}:
        return LOGITS
    if len(kinds) == 1 and kinds <= {"softmax", "sigmoid"} and not any(constants):
        return Values(kinds.pop(), sum(each.bound for each in parts))
    return NOT_KNOWN


def scaled(values: Values, factors: Sequence[float]) -> Values:
    """Return what a product of values and constants holds."""
    if values.activation is None:
        return LOGITS
    low, high = min(factors), max(factors)
    even = low == high or values.activation == "sigmoid"
    if values.activation not in ("softmax", "sigmoid") or low < 0 or not even:
        return NOT_KNOWN
    return Values(values.activation, values.bound * high)


def limited(parts: Sequence[Values], constants: Sequence[float] = ()) -> Values:
    """Return what a minimum or a maximum holds, of several tensors or with constants."""
    kinds = {each.activation for each in parts}
    if len(kinds) != 1 or kinds == {UNKNOWN} or (constants and kinds == {None}):
        return NOT_KNOWN
    if len(parts) > 1:
        return joined(parts)
    inside = all(0 <= each <= parts[0].bound * (1 + _ROUNDING) for each in constants)
    return parts[0] if inside else NOT_KNOWN


def bounded(values: Values, bound: float) -> Values:
    """Return what values from 0 to `bound` hold after a cut at both ends."""
    if values.activation is None:
        return Values("sigmoid", bound)
    return values if values.activation in ("softmax", "sigmoid") else NOT_KNOWN


def rectified(values: Values) -> Values:
    """Return what a ReLU makes of values."""
    return values if values.activation in (None, "softmax", "sigmoid") else NOT_KNOWN


def difference(parts: Sequence[Values], constants: Sequence[float]) -> Values:
    """Return what a difference holds: one of probabilities may be negative."""
    found = added(parts, constants)
    return LOGITS if found.activation is None else NOT_KNOWN


def product(parts: Sequence[Values], constants: Sequence[float]) -> Values:
    """Return what a product holds, of one tensor and constants, or of several tensors."""
    return scaled(parts[0], constants) if len(parts) == 1 and constants else NOT_KNOWN


def quotient(parts: Sequence[Values], constants: Sequence[float]) -> Values:
    """Return what a division of a tensor by constants holds."""
    return product(parts, [1 / each if each else 0.0 for each in constants])
