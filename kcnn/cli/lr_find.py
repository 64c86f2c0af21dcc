"""The command `kcnn lr-find`: a learning rate for a recipe, before the hours it will take."""

from pathlib import Path
from typing import Annotated

import typer

from kcnn.cli.shared import DataDir, check_new, start_tensorflow
from kcnn.cli.show import console
from kcnn.own_code import importable


def lr_find(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a Python file with one.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe."),
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("lr_find.png"),
    steps: Annotated[int, typer.Option(help="How many batches to train on.")] = 100,
) -> None:
    """Suggest a learning rate for a recipe: the loss while the rate rises."""
    check_new(out, "--out")
    from kcnn import recipe_files
    from kcnn.recipe import override

    file = recipe_files.load(recipe)
    chosen = override(file.recipe, assignments or [])
    start_tensorflow()
    import keras

    from kcnn.pipeline import setup
    from kcnn.report.lr_plot import plot_learning_rates
    from kcnn.training import find_learning_rate

    keras.utils.set_random_seed(chosen.seed)
    with importable(file.path.parent):  # the user's own code may lie beside the recipe
        data = setup.load(chosen, data_dir)
        curve = find_learning_rate(
            setup.build(chosen, data),
            data,
            optimizer=setup.optimizer_at(chosen.train, chosen.train.learning_rate),
            steps=steps,
        )
    plot_learning_rates(curve, out)
    console.print(f"suggested learning rate: {curve.suggestion:.2g}")
    console.print(f"{out}: the loss of {len(curve.rates)} batches")
