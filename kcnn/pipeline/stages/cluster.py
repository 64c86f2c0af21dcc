"""The stage `cluster`: each kernel shares a few values."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.prune import PRUNE
from kcnn.pipeline.stages.stage import RunContext, Stage, logger, unless_keras, variant_files
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Cluster

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def make(section: Cluster, context: RunContext) -> list[Variant]:
    """Cluster the first pruned model, whose zeros stay, or else the trained one."""
    from kcnn import compress

    source = context.made.get(PRUNE.name, (context.trained,))[0]
    logger.info("clustering the %s model to %d values per kernel", source.name, section.clusters)
    options = _options(section, teacher=context.trained.model)
    model = compress.cluster(source.model, context.data, **options).model
    before = "" if source is context.trained else f"{source.name}, "
    name = f"{before}{section.clusters} clusters"
    if section.engine == "keras":  # as for pruning
        name += ", engine keras"
    return [context.save(name, model, "clustered", macs=source.macs)]


def check(section: Cluster, model: "keras.Model", data: "Data") -> None:
    """Refuse a model that cannot be clustered so, and layers that it does not have."""
    from kcnn import compress

    compress.check_cluster(model, data, **_options(section, teacher=model))


def _options(section: Cluster, teacher: "keras.Model") -> dict[str, Any]:
    return {
        "clusters": section.clusters,
        "exclude": section.exclude,
        "epochs": section.epochs,
        "learning_rate": section.learning_rate,
        "teacher": teacher if section.distill else None,
        "engine": section.engine,
    }


CLUSTER = Stage(
    name="cluster",
    section=Cluster,
    make=make,
    check=check,
    files=variant_files("clustered"),
    not_on_jax=unless_keras("cluster", "clusters"),
)
