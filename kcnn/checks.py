"""Checks of arguments that are numbers: one wording for all of kcnn."""

import math
from numbers import Integral, Real


def check_count(argument: str, value: object, *, minimum: int = 1) -> None:
    """Raise a ValueError that names `argument` unless `value` is an integer of at least `minimum`.

    NumPy's integers count, True and False do not.

    >>> check_count("epochs", 0)
    Traceback (most recent call last):
    ValueError: epochs must be an integer of at least 1. Received: epochs=0
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < minimum:
        raise ValueError(
            f"{argument} must be an integer of at least {minimum}. Received: {argument}={value!r}"
        )


def check_positive(argument: str, value: object) -> None:
    """Raise a ValueError that names `argument` unless `value` is a finite number above 0.

    >>> check_positive("learning_rate", float("nan"))
    Traceback (most recent call last):
    ValueError: learning_rate must be a positive, finite number. Received: learning_rate=nan
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise ValueError(
            f"{argument} must be a positive, finite number. Received: {argument}={value!r}"
        )
