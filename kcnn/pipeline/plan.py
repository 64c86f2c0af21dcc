"""What a recipe asks of the table of stages: which of them, checked, and carried out."""

import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kcnn.comparison import Comparison
from kcnn.errors import one_line
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.kept import record_variants, restore_variants
from kcnn.pipeline.stages import STAGES, RunContext, Stage
from kcnn.pipeline.stages.int8 import INT8
from kcnn.pipeline.stages.own import own_section, own_stage
from kcnn.pipeline.stages.stage import TRAINED
from kcnn.pipeline.variants import Variant
from kcnn.recipe import OwnStage, Recipe, from_json
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data, JaxData

logger = logging.getLogger("kcnn")


class Planned(NamedTuple):
    """A stage that a recipe asks for.

    Attributes:
        stage: The stage.
        section: What the recipe says about it.
        own: The recipe's entry, if the stage is not one of kcnn's.
    """

    stage: Stage[Any]
    section: Any
    own: OwnStage | None = None


def plan_of(recipe: Recipe) -> list[Planned]:
    """Return the stages that the recipe asks for, in the order in which they run.

    Raises:
        ValueError: A stage of the user's own cannot be imported or refuses its options, two
            stages have one name, or a stage needs a section that the recipe leaves out.
    """
    plan = []
    for stage in STAGES:
        if stage is INT8:  # which exports what the others make
            plan += [_planned_own(own) for own in recipe.own_stages]
        if (section := getattr(recipe, stage.name)) is not None:
            plan.append(Planned(stage, section))
    names = [stage.name for stage, _, _ in plan]
    for stage, _, own in plan:
        if own and (names.count(stage.name) > 1 or hasattr(recipe, stage.name)):
            raise ValueError(f"{own.name}: another stage is called {stage.name!r}, too.")
        for section in stage.needs:
            if not getattr(recipe, section, None):
                raise ValueError(f"The stage {stage.name!r} needs the section {section!r}.")
    return plan


def training_only(comparison: Comparison) -> Comparison:
    """Return the comparison without all that its recipes say about anything but the training.

    Fields of the trainings that were not given have the values that are used.
    """
    left_out: dict[str, Any] = {stage.name: None for stage in STAGES}
    left_out |= {"own_stages": (), "tta": "none", "seed": Recipe.seed}
    variants = {
        name: dataclasses.replace(recipe, **left_out).resolved()
        for name, recipe in comparison.variants.items()
    }
    return dataclasses.replace(comparison, variants=variants)


def stage_files(recipe: Recipe, run_dir: RunDir) -> list[str]:
    """Return the patterns of all files that stages write, or may have written, into a folder.

    They are those of all stages of kcnn, of the recipe's own, and of the own stages of the run
    that the folder holds already.
    """
    patterns = [pattern for stage in STAGES for pattern in stage.files]
    own_stages = {own.name: own for own in (*recipe.own_stages, *_earlier_own_stages(run_dir))}
    for own in own_stages.values():
        try:
            patterns += own_stage(own).files
        except ValueError as error:  # the code of an earlier run may be gone
            logger.warning("files of a stage stay in %s: %s", run_dir.path, one_line(error))
    return patterns


def check_stages(plan: Iterable[Planned], model: "keras.Model", data: "Data | JaxData") -> None:
    """Refuse, before hours of training, what a stage would refuse after them.

    Raises:
        ValueError: A section does not fit the model, such as a layer that it does not have.
    """
    from kcnn.models.files import in_float32

    model = in_float32(model)
    for stage, section, _ in plan:
        stage.check(section, model, cast("Data", data))


def make_variants(
    plan: Iterable[Planned],
    recipe: Recipe,
    model: "keras.Model",
    data: "Data | JaxData",
    journal: Journal,
) -> tuple[list[Variant], dict[str, str]]:
    """Go through the stages: return all variants, first the trained model, and what failed.

    A stage that an earlier process of the run has done is not done again. A stage that fails, such
    as one whose training diverges, costs its own variants only; the reason is returned by its name.
    """
    import keras

    from kcnn.arithmetic import model_macs

    run_dir = journal.run_dir
    trained = Variant("float", run_dir.model, model, model_macs(model))
    made: dict[str, tuple[Variant, ...]] = {TRAINED: (trained,)}
    failed: dict[str, str] = {}
    for stage, section, _ in plan:
        context = RunContext(recipe, cast("Data", data), run_dir, dict(made))
        variants = restore_variants(stage.name, context.variants, journal)
        if variants is None:
            keras.utils.set_random_seed(recipe.seed)  # whatever came before in this process
            try:
                variants = stage.make(section, context)
            except (NotImplementedError, RecursionError):  # mistakes in the stage's code
                raise
            except RuntimeError as error:
                failed[stage.name] = one_line(error)
                logger.warning("the stage %s failed: %s", stage.name, failed[stage.name])
                continue
            written = [file for each in stage.files for file in sorted(run_dir.path.glob(each))]
            record_variants(stage.name, variants, context.variants, written, journal)
        made[stage.name] = tuple(variants)
    return [variant for variants in made.values() for variant in variants], failed


def _earlier_own_stages(run_dir: RunDir) -> tuple[OwnStage, ...]:
    """Return the own stages of the run that the folder holds."""
    try:
        return from_json(run_dir.recipe.read_text(encoding="utf-8")).own_stages
    except (OSError, ValueError):  # there is none, or its recipe is damaged
        return ()


def _planned_own(own: OwnStage) -> Planned:
    stage = own_stage(own)
    return Planned(stage, own_section(own, stage), own)
