"""The stage `slim`: the weakest filters go, and the smaller network recovers."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.stage import RunContext, Stage, logger, variant_files
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Slim

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def make(section: Slim, context: RunContext) -> list[Variant]:
    """Remove filters and train what is left, with the trained model as its teacher if asked."""
    from kcnn import compress

    logger.info("removing filters until %.0f %% of the MACs are left", 100 * section.macs)
    whole, data = context.trained.model, context.data
    result = compress.slim(whole, **_options(section))
    compress.recover(
        result.model,
        data,
        teacher=whole if section.distill else None,
        epochs=section.epochs,
        learning_rate=section.learning_rate,
        weight_decay=section.weight_decay,
    )
    share = result.after.macs / result.before.macs
    name = f"slim, {share:.0%} of the MACs"
    return [context.save(name, result.model, "slim", macs=result.after.macs)]


def check(section: Slim, model: "keras.Model", data: "Data") -> None:
    """Refuse a share of the MACs that cannot be reached, and layers that the model lacks."""
    from kcnn import compress

    compress.check_slim(model, **_options(section))


def _options(section: Slim) -> dict[str, Any]:
    return {
        "macs": section.macs,
        "criterion": section.criterion,
        "exclude": section.exclude,
        "multiple_of": section.multiple_of,
    }


SLIM = Stage(
    name="slim",
    section=Slim,
    make=make,
    check=check,
    files=variant_files("slim"),
    not_on_jax=None,
)
