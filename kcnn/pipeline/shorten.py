"""`kcnn run --smoke`: the same recipe, or comparison, in seconds."""

import dataclasses
from typing import Any

from kcnn.comparison import Comparison
from kcnn.pipeline.plan import plan_of
from kcnn.pipeline.stages.own import with_section
from kcnn.recipe import Recipe, Train


def smoke(recipe: Recipe) -> Recipe:
    """Return the same run in seconds: a few images and one epoch of everything.

    >>> from kcnn.recipe import Recipe
    >>> smoke(Recipe()).prune.epochs
    1
    """
    data = dataclasses.replace(recipe.data, limit=512, batch_size=min(recipe.data.batch_size, 64))
    transfer = recipe.transfer and dataclasses.replace(
        recipe.transfer, head_epochs=min(recipe.transfer.head_epochs, 1)
    )
    plan = plan_of(recipe)
    sections: dict[str, Any] = {
        stage.name: stage.shorten(section) for stage, section, own in plan if own is None
    }
    sections["own_stages"] = tuple(
        with_section(own, stage.shorten(section)) for stage, section, own in plan if own
    )
    train = recipe.train if recipe.trained else _in_one_epoch(recipe.train)
    return dataclasses.replace(recipe, data=data, train=train, transfer=transfer, **sections)


def smoke_comparison(comparison: Comparison) -> Comparison:
    """Return the same comparison in seconds: a few images, one epoch, one seed."""
    variants = {name: smoke(recipe) for name, recipe in comparison.variants.items()}
    return dataclasses.replace(comparison, variants=variants, seeds=comparison.seeds[:1])


def _in_one_epoch(train: Train) -> Train:
    """Return the training in one epoch, whose few steps leave no room for a rate in stairs."""
    if train.schedule in ("step", "multi_step"):
        stairs = dict.fromkeys(("step_epochs", "milestones", "factor"))
        return dataclasses.replace(train, epochs=1, schedule="constant", **stairs)
    warmup = train.warmup_epochs and train.warmup_epochs / train.epochs
    return dataclasses.replace(train, epochs=1, warmup_epochs=warmup)
