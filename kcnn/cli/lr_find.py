"""The command `kcnn lr-find`: a learning rate for a recipe, before the hours that it takes."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.console import console
from kcnn.cli.shared import Assignments, DataDir, RecipeName, check_pictures, start_backend
from kcnn.own_code import importable

# Of the training; the epochs decide whether "auto" measures the precision.
_USED = ("optimizer", "weight_decay", "decay_everything", "clip_norm", "precision", "epochs")


def lr_find(
    recipe: RecipeName,
    assignments: Assignments = None,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("lr_find.png"),
    steps: Annotated[int, typer.Option(help="How many batches to train on.")] = 100,
) -> None:
    """Suggest a learning rate: the loss while the rate rises."""
    check_pictures({"--out": out})
    from kcnn import pipeline, recipe_files
    from kcnn.recipe import override

    file = recipe_files.load(recipe)
    for assignment in assignments or []:
        _check_effect(assignment.partition("=")[0].strip())
    chosen = override(file.recipe, assignments or [])
    start_backend()
    from kcnn.report.lr_plot import plot_learning_rates

    with importable(file.path.parent):  # the user's own code may lie beside the recipe
        curve = pipeline.suggest_learning_rate(chosen, data_dir=data_dir, steps=steps)
    plot_learning_rates(curve, out)
    console.print(f"suggested learning rate: {curve.suggestion:.2g}")
    console.print(f"{out}: the loss of {len(curve.rates)} batches")


def _check_effect(key: str) -> None:
    """Refuse an assignment that the search for a learning rate would ignore."""
    from kcnn.recipe import DEPENDENT

    section, _, name = key.partition(".")
    name = name.partition(".")[0]
    of_optimizer = name in DEPENDENT and DEPENDENT[name].decider == "optimizer"
    if section in ("data", "model", "seed", "transfer"):
        return
    if section != "train" or not (of_optimizer or name in _USED):
        raise ValueError(f"{key} means nothing to lr-find, which looks for a learning rate alone.")
