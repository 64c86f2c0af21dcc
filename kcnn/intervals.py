"""Means over images with their confidence intervals."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval.

    Attributes:
        mean: NaN without any image.
        low: the lower end of the interval; NaN with fewer than two images.
        high: the upper end of the interval; NaN with fewer than two images.
        count: the number of images.

    >>> str(Estimate(0.5, 0.4, 0.65, count=64))
    '0.50 [0.40, 0.65]'
    """

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """Return the mean and, in brackets, the interval."""
        if self.count < 2:
            return "too few images"
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def bootstrap(values: np.ndarray, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """Return the mean of values and its confidence interval, by the percentile bootstrap.

    The interval shows how far the mean would move with other images from the same source (Efron,
    https://doi.org/10.1214/aos/1176344552). With fewer than about 20 values it is a little too
    narrow, and where all values are equal it has no width.

    Args:
        values: float [n], independent of each other, one per image.
        level: the share of such intervals that contain the true mean.
        seed: of the 2,000 resamples.

    >>> str(bootstrap(np.arange(100) % 2 + 1.0))
    '1.50 [1.40, 1.60]'
    """
    count = len(values)
    if count < 2:
        return Estimate(float(values[0]) if count else np.nan, np.nan, np.nan, count)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(count, size=(_RESAMPLES, count))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(np.mean(values)), float(low), float(high), count)


def wilson_interval(accuracy: float, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the confidence interval (low, high) of an accuracy measured on `count` images.

    It is also right for accuracies near 1 and for few images, where the mean plus or minus twice
    the standard error leaves the range of 0 to 1.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927),
    https://doi.org/10.1080/01621459.1927.10502953.

    Raises:
        ValueError: `accuracy` or `level` is not a fraction, or there is no image.

    >>> low, high = wilson_interval(0.9, 10_000)
    >>> f"{low:.2%} to {high:.2%}"
    '89.40% to 90.57%'
    """
    if not (0 <= accuracy <= 1 and 0 < level < 1 and count >= 1):
        raise ValueError(
            "Expected an accuracy of 0 to 1, at least one image and a level between 0 and 1. "
            f"Received: accuracy={accuracy}, count={count}, level={level}"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    center = accuracy + z**2 / (2 * count)
    margin = z * sqrt(accuracy * (1 - accuracy) / count + (z / (2 * count)) ** 2)
    scale = 1 + z**2 / count
    # In exact arithmetic the accuracy always lies inside; rounding can put it just outside.
    return min(accuracy, (center - margin) / scale), max(accuracy, (center + margin) / scale)
