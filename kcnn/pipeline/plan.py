"""What a recipe asks of the table of stages: which of them, checked, and carried out."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kcnn.comparison import Comparison
from kcnn.pipeline.stages import STAGES, RunContext, Stage
from kcnn.pipeline.stages.stage import TRAINED
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data, JaxData


class Planned(NamedTuple):
    """A stage that a recipe asks for, with its section."""

    stage: Stage[Any]
    section: Any


def planned(recipe: Recipe) -> list[Planned]:
    """Return the stages that the recipe has a section for, in the order in which they run."""
    sections = ((stage, getattr(recipe, stage.name)) for stage in STAGES)
    return [Planned(stage, section) for stage, section in sections if section is not None]


def training_only(comparison: Comparison) -> Comparison:
    """Return the comparison without all that its recipes say of anything but the training."""
    left_out: dict[str, Any] = {stage.name: None for stage in STAGES}
    left_out |= {"tta": "none", "seed": Recipe.seed}
    variants = {
        name: dataclasses.replace(recipe, **left_out)
        for name, recipe in comparison.variants.items()
    }
    return dataclasses.replace(comparison, variants=variants)


def stage_files(recipe: Recipe, run_dir: RunDir) -> list[str]:
    """Return the patterns of all files that stages of kcnn write into a run's folder."""
    return [pattern for stage in STAGES for pattern in stage.files]


def check_stages(plan: Iterable[Planned], model: "keras.Model", data: "Data | JaxData") -> None:
    """Refuse, before hours of training, what a stage would refuse after them.

    Raises:
        ValueError: A section does not fit the model, such as a layer that it does not have.
    """
    from kcnn.models.files import in_float32

    model = in_float32(model)
    for stage, section in plan:
        stage.check(section, model, cast("Data", data))


def make_variants(
    plan: Iterable[Planned],
    recipe: Recipe,
    model: "keras.Model",
    data: "Data | JaxData",
    run_dir: RunDir,
) -> list[Variant]:
    """Save the trained model, go through the stages and return all variants, that model first."""
    from kcnn import models
    from kcnn.arithmetic import model_arithmetic

    file, macs = models.save(model, run_dir.model), model_arithmetic(model).macs
    made: dict[str, tuple[Variant, ...]] = {TRAINED: (Variant("float", file, model, macs),)}
    for stage, section in plan:
        context = RunContext(recipe, cast("Data", data), run_dir, dict(made))
        made[stage.name] = tuple(stage.make(section, context))
    return [variant for variants in made.values() for variant in variants]
