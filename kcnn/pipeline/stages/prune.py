"""The stage `prune`: small weights become zeros, one level of sparsity after the other."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.stage import RunContext, Stage, logger, unless_keras, variant_files
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Prune

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def make(section: Prune, context: RunContext) -> list[Variant]:
    """Prune to each level, starting from the level before; only the first is exported as int8."""
    from kcnn import compress

    variants, model = [], context.trained.model
    for sparsity in section.sparsities:
        logger.info("pruning to %.0f %% zeros", 100 * sparsity)
        options = _options(section, teacher=context.trained.model)
        model = compress.prune(model, context.data, sparsity=sparsity, **options).model
        suffix = f"pruned_{round(100 * sparsity)}" if variants else "pruned"
        name, macs = f"pruned {sparsity:.0%}", context.trained.macs
        if section.engine == "keras":  # a run of another time has the name without it by TF-MOT
            name += ", engine keras"
        variants.append(context.save(name, model, suffix, macs=macs, int8=not variants))
    return variants


def check(section: Prune, model: "keras.Model", data: "Data") -> None:
    """Refuse a model that cannot be pruned so, and layers that it does not have."""
    from kcnn import compress

    for sparsity in section.sparsities:
        compress.check_prune(model, data, sparsity=sparsity, **_options(section, teacher=model))


def _options(section: Prune, teacher: "keras.Model") -> dict[str, Any]:
    return {
        "exclude": section.exclude,
        "epochs": section.epochs,
        "schedule": section.schedule,
        "learning_rate": section.learning_rate,
        "teacher": teacher if section.distill else None,
        "engine": section.engine,
    }


PRUNE = Stage(
    name="prune",
    section=Prune,
    make=make,
    check=check,
    files=variant_files("pruned*"),
    not_on_jax=unless_keras("prune", "prunes"),
)
