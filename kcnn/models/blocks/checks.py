"""Checks of the builders' arguments, beside those of `kcnn.checks`."""

from numbers import Real


def check_flag(argument: str, value: object) -> None:
    """Raise a ValueError that names `argument` unless `value` is True or False.

    >>> check_flag("batch_norm", 1)
    Traceback (most recent call last):
    ValueError: batch_norm must be True or False. Received: batch_norm=1
    """
    if not isinstance(value, bool):
        raise ValueError(f"{argument} must be True or False. Received: {argument}={value!r}")


def check_rank(rank: object) -> None:
    """Raise a ValueError unless `rank` is 1 (series), 2 (images) or 3 (voxels).

    >>> check_rank(4)
    Traceback (most recent call last):
    ValueError: rank must be 1 (series), 2 (images) or 3 (voxels). Received: rank=4
    """
    if rank not in (1, 2, 3):
        raise ValueError(
            f"rank must be 1 (series), 2 (images) or 3 (voxels). Received: rank={rank!r}"
        )


def check_rate(argument: str, value: object) -> None:
    """Raise a ValueError that names `argument` unless `value` is a share to drop: in [0, 1).

    >>> check_rate("dropout", 1.0)
    Traceback (most recent call last):
    ValueError: dropout must be at least 0 and below 1. Received: dropout=1.0
    """
    if not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ValueError(
            f"{argument} must be at least 0 and below 1. Received: {argument}={value!r}"
        )
