"""The precision of a run, decided before it begins: "auto" depends on the machine."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

from kcnn.comparison import Comparison
from kcnn.recipe import Recipe
from kcnn.training.precision import trains_in_bfloat16

Precision = Literal["float32", "mixed_bfloat16"]


def resolve_precision(recipe: Recipe) -> Recipe:
    """Return the recipe with the precision that "auto" means on this machine.

    >>> resolve_precision(Recipe()).train.precision in ("float32", "mixed_bfloat16")
    True
    """
    return _with_precision(recipe, fastest_precision([recipe], bfloat16=trains_in_bfloat16()))


def resolve_shared_precision(comparison: Comparison) -> Comparison:
    """Return the comparison with one precision in place of "auto" in all its variants."""
    precision = fastest_precision(comparison.variants.values(), bfloat16=trains_in_bfloat16())
    variants = {
        name: _with_precision(recipe, precision) for name, recipe in comparison.variants.items()
    }
    return dataclasses.replace(comparison, variants=variants)


def fastest_precision(recipes: Iterable[Recipe], *, bfloat16: bool) -> Precision:
    """Return the fastest precision for all of these recipes; pretrained models need float32.

    Args:
        recipes: Recipes that are to be trained alike.
        bfloat16: Whether this machine trains faster in bfloat16.

    >>> fastest_precision([Recipe()], bfloat16=True)
    'mixed_bfloat16'
    """
    pretrained = any(recipe.transfer or recipe.trained for recipe in recipes)
    return "mixed_bfloat16" if bfloat16 and not pretrained else "float32"


def _with_precision(recipe: Recipe, precision: Precision) -> Recipe:
    if recipe.train.precision != "auto" or recipe.trained:
        return recipe
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, precision=precision))
