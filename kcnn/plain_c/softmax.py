"""The exponentials of TensorFlow Lite's int8 softmax, as a table.

The kernel computes `exp(scale * (q - largest))` in fixed point, and the difference has only 256
values. The polynomial and the constants are gemmlowp's.
"""

from kcnn.plain_c.fixed_point import doubled_high_product as times
from kcnn.plain_c.fixed_point import multiplier, rounded_shift, saturated

_INTEGER_BITS = 5
_FRACTION_BITS = 31 - _INTEGER_BITS
_ONE = 2**31 - 1
# exp(-2**exponent) in Q0.31, by exponent.
_POWERS = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
_EXP_OF_MINUS_EIGHTH, _THIRD = 1895147668, 715827883


def exponentials(scale: float, beta: float) -> list[int]:
    """Return exp of 0, -1, ..., -255 steps in Q0.31.

    Args:
        scale: of the logits.
        beta: the schema's factor of the logits, usually 1.

    >>> exponentials(1.0, 1.0)[:2]
    [2147483647, 790015308]
    """
    factor = multiplier(min(beta * scale * (1 << _FRACTION_BITS), 2.0**31 - 1))
    most = (2**_INTEGER_BITS - 1) * 2**_FRACTION_BITS // 2**factor.shift
    return [
        _exp(times(-steps << factor.shift, factor.significand)) if steps <= most else 0
        for steps in range(256)
    ]


def _exp(value: int) -> int:
    """Return exp of a number <= 0 in Q5.26, in Q0.31."""
    if value == 0:
        return _ONE
    quarter = 1 << (_FRACTION_BITS - 2)
    rest = (value & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_of_small(saturated(rest << _INTEGER_BITS))
    remainder = rest - value
    for exponent, power in _POWERS.items():
        if remainder & (1 << (_FRACTION_BITS + exponent)):
            result = times(result, power)
    return result


def _exp_of_small(value: int) -> int:
    """Return exp of a number in [-1/4, 0), both in Q0.31: Taylor's series around -1/8."""
    x = value + (1 << 28)
    square = times(x, x)
    cube, fourth = times(square, x), times(square, square)
    higher = rounded_shift(times(rounded_shift(fourth, 2) + cube, _THIRD) + square, 1)
    return _EXP_OF_MINUS_EIGHTH + times(_EXP_OF_MINUS_EIGHTH, x + higher)
