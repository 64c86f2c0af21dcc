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
    from kcnn.callbacks import LearningRateLog, MonitorGuard
    from kcnn.training import distill, make_optimizer, schedules, train

    logger.info("removing filters until %.0f %% of the MACs are left", 100 * section.macs)
    whole, data = context.trained.model, context.data
    result = compress.slim(whole, **_options(section))
    schedule = schedules.cosine(
        section.learning_rate, epochs=section.epochs, steps_per_epoch=data.steps_per_epoch
    )
    training: dict[str, Any] = {
        "epochs": section.epochs,
        "optimizer": make_optimizer("sgd", schedule, weight_decay=section.weight_decay),
        "callbacks": [LearningRateLog(), MonitorGuard()],
    }
    if section.distill:
        distill(result.model, whole, data, **training)
    else:
        train(result.model, data, **training)
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
    not_on_jax="the slim model recovers with a teacher, for which TensorFlow is needed",
)
