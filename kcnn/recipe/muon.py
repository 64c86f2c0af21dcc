"""The settings of the optimizer "muon"."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from kcnn.recipe.ranges import CONFIG, Positive, Share


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Muon:
    """How the optimizer "muon" treats filters; see `kcnn.training.Muon`.

    Attributes:
        rate: The factor on the learning rate.
        momentum: The momentum of filters.
        iterations: Iterations of Newton-Schulz.
        normalize: Whether filters are scaled to a norm of 1 before each step.
    """

    rate: Positive = 1.0
    momentum: Share = 0.6
    iterations: Annotated[int, Field(ge=1, le=5, strict=True)] = 5
    normalize: bool = False
