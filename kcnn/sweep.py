"""A sweep: a recipe, and the ranges in which good values for some of its fields are searched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kcnn.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A search that `kcnn tune` makes; its engine is Optuna.

    Any field of the recipe can be a dimension, by the key that `--set` takes. Where another
    dimension leaves a field without effect, such as the momentum of a trial with Adam, that trial
    goes without it.

    Attributes:
        recipe: What all trials have in common.
        space: One of `optuna.distributions` for each key.

    >>> from optuna.distributions import CategoricalDistribution, FloatDistribution
    >>> sweep = Sweep(
    ...     recipe=Recipe(),
    ...     space={
    ...         "train.learning_rate": FloatDistribution(1e-3, 1, log=True),
    ...         "data.batch_size": CategoricalDistribution([64, 128]),
    ...     },
    ... )
    >>> sorted(sweep.space)
    ['data.batch_size', 'train.learning_rate']
    """

    recipe: Recipe
    space: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse what is no recipe, and a space that is no dictionary by key."""
        if not isinstance(self.recipe, Recipe):
            raise ValueError(
                "A sweep needs recipe=kcnn.recipe.Recipe(...). "
                f"Received: {type(self.recipe).__name__}"
            )
        if not isinstance(self.space, Mapping):
            raise ValueError(
                "space must be a dictionary, such as {'train.learning_rate': "
                f"FloatDistribution(1e-3, 1)}}. Received: {type(self.space).__name__}"
            )
