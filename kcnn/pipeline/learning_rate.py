"""A learning rate for a recipe, before the hours that its training takes."""

import keras

from kcnn.pipeline.precision import resolve_precision
from kcnn.pipeline.setup import build, load
from kcnn.pipeline.training_setup import optimizer_at
from kcnn.recipe import Recipe
from kcnn.training import LearningRateCurve, find_learning_rate


def suggest_learning_rate(
    recipe: Recipe, *, data_dir: str | None = None, steps: int = 100
) -> LearningRateCurve:
    """Return the loss over a rising learning rate, with the recipe's data, model and optimizer.

    Args:
        recipe: What is to be trained; its learning rate and its schedule do not count.
        data_dir: Where prepared tfds data sets lie; None for tfds's own default.
        steps: How many batches to train on, at least 10.

    Raises:
        ValueError: The recipe cannot be trained.
        RuntimeError: The data cannot be had, or the loss explodes at once.
    """
    data = load(recipe, data_dir)
    recipe, _ = resolve_precision(recipe, data, data_dir)
    keras.utils.set_random_seed(recipe.seed)
    optimizer = optimizer_at(recipe.train, recipe.train.learning_rate)
    return find_learning_rate(build(recipe, data), data, optimizer=optimizer, steps=steps)
