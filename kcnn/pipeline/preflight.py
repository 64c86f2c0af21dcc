"""What would only fail after hours of training, checked before its first epoch.

The training's own checks (callbacks, what they monitor, the devices) are those of
`kcnn.training.trainer`, and the data's those of `kcnn.data`; both come before the first step, too.
"""

from collections.abc import Collection

from kcnn.litert.labels import check_labels
from kcnn.pipeline.plan import Planned, check_stages
from kcnn.pipeline.prepare import Prepared
from kcnn.pipeline.training_setup import optimizer_for
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir
from kcnn.training.room import bytes_of, check_room, checkpoint_bytes


def check_run(
    recipe: Recipe, prepared: Prepared, plan: Collection[Planned], run_dir: RunDir
) -> None:
    """Refuse a run that a later stage would refuse, or that has no room for its files.

    Raises:
        ValueError: A stage does not fit the model, a class name is not one line of text, or the
            folder cannot be written or has too little room.
    """
    model, data = prepared.model, prepared.data
    check_stages(plan, model, data)
    check_labels(data.class_names, len(data.class_names))  # as every export does
    needed = (1 + len(plan)) * bytes_of(model.variables)  # the trained model, and those of stages
    if not recipe.trained:
        optimizer = optimizer_for(recipe.train, data)
        optimizer.build(model.variables)  # a head that is trained first is not all that is trained
        needed += checkpoint_bytes(model, optimizer)
    check_room(run_dir.path, needed)
