"""All that a run can do with its trained model, in one table.

From `STAGES` follow what a run checks before it trains, what it makes, how `--smoke` shortens it,
what a comparison leaves out, what a run that replaces another removes, and what is left out on JAX.

To add a technique: its section in `kcnn.recipe.sections`, its module in `kcnn.compress`, its stage
here, and its name in `STAGES`. A technique of your own needs no change of kcnn: write a `Stage` and
name it in the recipe: `Recipe(own_stages=(OwnStage(name="my_package.sparsify:stage"),))`.
"""

from typing import Any

from kcnn.pipeline.stages.cluster import CLUSTER
from kcnn.pipeline.stages.explain import EXPLAIN
from kcnn.pipeline.stages.int8 import INT8
from kcnn.pipeline.stages.prune import PRUNE
from kcnn.pipeline.stages.quantize_aware import QUANTIZE_AWARE
from kcnn.pipeline.stages.slim import SLIM
from kcnn.pipeline.stages.stage import RunContext, Stage

__all__ = ["STAGES", "RunContext", "Stage"]

STAGES: tuple[Stage[Any], ...] = (PRUNE, SLIM, CLUSTER, INT8, QUANTIZE_AWARE, EXPLAIN)
"""In the order in which a run goes through them."""
