"""The precision of a run, decided before it begins: "auto" depends on machine and network."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kcnn.comparison import Comparison
from kcnn.pipeline.chosen_precision import in_one_precision, is_open, with_precision
from kcnn.pipeline.precision_trial import seconds_a_step
from kcnn.pipeline.setup import load_variants
from kcnn.recipe import Recipe
from kcnn.training.precision import Precision, known_precision

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

# Pixels that a training sees: four epochs of CIFAR-10. Of a shorter one most networks make too
# little for the measurement to pay, and in float32 it is the same on every processor.
_WORTH_IT = 4 * 50_000 * 32 * 32
_NOISE = 1.05

logger = logging.getLogger("kcnn")


def resolve_precision(
    recipe: Recipe, data: "Data | JaxData", data_dir: str | None = None
) -> tuple[Recipe, dict[str, float]]:
    """Return the recipe with the precision that "auto" means here, and the measured step times.

    Args:
        recipe: What is to be trained.
        data: Its images.
        data_dir: Where prepared tfds data sets lie.

    Returns:
        The recipe, and the milliseconds of a training step as `step_ms_float32` and
        `step_ms_mixed_bfloat16`; nothing where none were measured.
    """
    if not is_open(recipe):
        return recipe, {}
    if known := _without_measuring([recipe]):
        return with_precision(recipe, known), {}
    precision, seconds = _measure([(recipe, data)], data_dir)
    facts = {f"step_ms_{name}": round(1000 * value, 3) for name, value in seconds.items()}
    return with_precision(recipe, precision), facts


def resolve_shared_precision(comparison: Comparison, data_dir: str | None = None) -> Comparison:
    """Return the comparison with one precision in place of "auto" in all its variants.

    Args:
        comparison: What is to be trained.
        data_dir: Where prepared tfds data sets lie.
    """
    recipes = comparison.variants.values()
    if not any(map(is_open, recipes)):
        return comparison
    precision = _without_measuring(recipes)
    if precision is None:
        loaded = [(recipe, data) for _, recipe, data in load_variants(comparison, data_dir)]
        precision, _ = _measure(loaded, data_dir)
    return in_one_precision(comparison, precision)


def _without_measuring(recipes: Iterable[Recipe]) -> Precision | None:
    """Return the precision where the recipes or the hardware tell, None where they do not."""
    if any(recipe.transfer or recipe.trained for recipe in recipes):
        return "float32"  # pretrained models compute in it
    return known_precision()


def _measure(
    trainings: "Sequence[tuple[Recipe, Data | JaxData]]", data_dir: str | None
) -> tuple[Precision, dict[str, float]]:
    """Return the faster precision for all of these trainings, and the seconds of their steps."""
    if not any(_is_worth_it(recipe, data) for recipe, data in trainings):
        return "float32", {}
    total: dict[str, float] = {}
    for recipe, data in trainings:
        for name, value in (seconds_a_step(recipe, data, data_dir) or {}).items():
            total[name] = total.get(name, 0.0) + value
    if not total:
        return "float32", {}
    faster = total["float32"] > _NOISE * total["mixed_bfloat16"]
    precision: Precision = "mixed_bfloat16" if faster else "float32"
    logger.info(
        "a training step takes %.1f ms in float32, %.1f ms in bfloat16: %s",
        1000 * total["float32"],
        1000 * total["mixed_bfloat16"],
        precision,
    )
    return precision, total


def _is_worth_it(recipe: Recipe, data: "Data | JaxData") -> bool:
    height, width, *_ = data.image_shape
    return recipe.train.epochs * data.num_train * height * width >= _WORTH_IT
