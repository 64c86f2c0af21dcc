"""How long single images take in a runtime."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Times:
    """The times of single images on this machine, in milliseconds.

    Attributes:
        first: the first image of a runtime that has just loaded the model.
        p50: the median, after a warm-up.
        p90: nine of ten images take no longer.
        p99: 99 of 100 images take no longer.
        count: of how many timed images these are the percentiles.
    """

    first: float
    p50: float
    p90: float
    p99: float
    count: int


def times_of(first: float, others: Sequence[float] | np.ndarray) -> Times:
    """Return the percentiles of the times of single images.

    Args:
        first: milliseconds of the first image.
        others: milliseconds of each image after the warm-up.

    >>> times_of(5.0, [3.0, 1.0, 2.0]).p50
    2.0
    """
    p50, p90, p99 = np.percentile(np.asarray(others, np.float64), (50, 90, 99)).tolist()
    return Times(float(first), p50, p90, p99, len(others))
