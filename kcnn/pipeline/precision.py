"""What a run computes in, decided before it begins: "auto" depends on the machine."""

import dataclasses
from collections.abc import Iterable

from kcnn.comparison import Comparison
from kcnn.recipe import Recipe
from kcnn.training.precision import trains_in_bfloat16


def decided(recipe: Recipe) -> Recipe:
    """Return the recipe with what "auto" is on this machine.

    >>> decided(Recipe()).train.precision == fastest([Recipe()], bfloat16=trains_in_bfloat16())
    True
    """
    return _in(recipe, fastest([recipe], bfloat16=trains_in_bfloat16()))


def decided_alike(comparison: Comparison) -> Comparison:
    """Return the comparison with the same for "auto" in all its variants."""
    precision = fastest(comparison.variants.values(), bfloat16=trains_in_bfloat16())
    variants = {name: _in(recipe, precision) for name, recipe in comparison.variants.items()}
    return dataclasses.replace(comparison, variants=variants)


def fastest(recipes: Iterable[Recipe], *, bfloat16: bool) -> str:
    """Return what all of the recipes can be trained in: a borrowed body computes in float32.

    >>> fastest([Recipe()], bfloat16=True)
    'mixed_bfloat16'
    """
    borrowed = any(recipe.transfer or recipe.trained for recipe in recipes)
    return "mixed_bfloat16" if bfloat16 and not borrowed else "float32"


def _in(recipe: Recipe, precision: str) -> Recipe:
    if recipe.train.precision != "auto" or recipe.trained:
        return recipe
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, precision=precision))
