"""Recipes and comparisons with a precision in place of "auto". Nothing here imports Keras."""

import dataclasses
from typing import TYPE_CHECKING, Literal

from kcnn.comparison import Comparison
from kcnn.recipe import Recipe

if TYPE_CHECKING:
    from kcnn.training.precision import Precision


def with_precision(recipe: Recipe, precision: "Precision | Literal['auto']") -> Recipe:
    """Return the recipe with this precision in place of "auto"."""
    if not is_open(recipe):
        return recipe
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, precision=precision))


def in_one_precision(
    comparison: Comparison, precision: "Precision | Literal['auto']"
) -> Comparison:
    """Return the comparison with this precision in place of "auto" in all its variants."""
    variants = {
        name: with_precision(recipe, precision) for name, recipe in comparison.variants.items()
    }
    return dataclasses.replace(comparison, variants=variants)


def is_open(recipe: Recipe) -> bool:
    """Return whether the precision of the recipe's training has to be decided."""
    return recipe.train.precision == "auto" and not recipe.trained
