"""The stage `cluster`: each kernel shares a few values."""

from typing import TYPE_CHECKING, Any

from kcnn.pipeline.stages.prune import PRUNE
from kcnn.pipeline.stages.stage import RunContext, Stage, logger, variant_files
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
    model = compress.cluster(source.model, context.data, **_options(section)).model
    before = "" if source is context.trained else f"{source.name}, "
    name = f"{before}{section.clusters} clusters"
    return [context.save(name, model, "clustered", macs=source.macs)]


def check(section: Cluster, model: "keras.Model", data: "Data") -> None:
    """Refuse a model that cannot be clustered so, and layers that it does not have."""
    from kcnn import compress

    compress.check_cluster(model, data, **_options(section))


def _options(section: Cluster) -> dict[str, Any]:
    return {
        "clusters": section.clusters,
        "exclude": section.exclude,
        "epochs": section.epochs,
        "learning_rate": section.learning_rate,
    }


CLUSTER = Stage(
    name="cluster",
    section=Cluster,
    make=make,
    check=check,
    files=variant_files("clustered"),
    not_on_jax="TF-MOT, which clusters, works on TensorFlow only",
)
