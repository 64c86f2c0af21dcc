"""The score of a method's maps in one test, beside that of two maps that ignore the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kcnn.intervals import Estimate, bootstrap


@dataclass(frozen=True, eq=False)
class Score:
    """One number per image for each map, their means, and which maps the method's own map beats.

    Attributes:
        name: what is measured.
        higher_is_better: False if lower is better.
        values: float [n] for each of "own", "random" and "edges", one per image that counts.
        chance: the average score of a map that knows nothing, where it is known.
        perfect: the best possible score, where it is known.

    >>> values = {"own": np.ones(9), "random": np.full(9, 0.2), "edges": np.ones(9)}
    >>> score = Score("heat in the patch", True, values, chance=0.25, perfect=1.0)
    >>> score.beats, str(score.estimates["own"])
    (('random',), '1.00 [1.00, 1.00]')
    """

    name: str
    higher_is_better: bool
    values: Mapping[str, np.ndarray]
    chance: float | None = None
    perfect: float | None = None

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """For each map, the mean of its values and the 95 % interval of that mean."""
        return {name: bootstrap(values) for name, values in self.values.items()}

    @cached_property
    def beats(self) -> tuple[str, ...]:
        """The maps that the method's own map is better than, image by image.

        For these the 95 % interval of the mean difference lies on the better side of zero.
        """
        sign = 1 if self.higher_is_better else -1
        own = self.values["own"]
        others = {name: sign * (own - v) for name, v in self.values.items() if name != "own"}
        return tuple(name for name, gain in others.items() if bootstrap(gain).low > 0)
