"""Checks of the builders' arguments."""

from numbers import Integral, Real


def check_count(argument: str, value: int, *, minimum: int) -> None:
    """Check that `value` is a whole number of at least `minimum`.

    Raises:
        ValueError: it is not; the message names `argument`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(
            f"{argument} must be an integer of at least {minimum}. Received: {argument}={value!r}"
        )


def check_flag(argument: str, value: bool) -> None:
    """Check that `value` is True or False.

    Raises:
        ValueError: it is not; the message names `argument`.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{argument} must be True or False. Received: {argument}={value!r}")


def check_rank(rank: int) -> None:
    """Check that `rank` is 1 (series), 2 (images) or 3 (voxels).

    Raises:
        ValueError: it is not.
    """
    if rank not in (1, 2, 3):
        raise ValueError(
            f"rank must be 1 (series), 2 (images) or 3 (voxels). Received: rank={rank!r}"
        )


def check_rate(argument: str, value: float) -> None:
    """Check that `value` is a share of units to drop: at least 0, below 1.

    Raises:
        ValueError: it is not; the message names `argument`.
    """
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise ValueError(
            f"{argument} must be at least 0 and below 1. Received: {argument}={value!r}"
        )
