"""The command `kcnn run`: all that a recipe or a comparison says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcnn.cli import show
from kcnn.cli.shared import Assignments, DataDir, RecipeName, start_backend
from kcnn.cli.show import console
from kcnn.own_code import importable

if TYPE_CHECKING:
    from kcnn.comparison import Comparison
    from kcnn.recipe import Recipe


def run(
    recipe: RecipeName,
    assignments: Assignments = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; saved_models/RECIPE if not given.")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Every stage in seconds: few images, one epoch.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that the folder holds.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Also train without the recipe's teacher.")
    ] = False,
) -> None:
    """Run a recipe, or train and compare those of a comparison.

    A run trains a model, compresses it, exports it as int8 and explains it, and leaves models,
    numbers and pictures in a folder. `kcnn list` names the recipes that come with kcnn.
    """
    from kcnn import recipe_files
    from kcnn.recipe import Recipe
    from kcnn.run_dir import RunDir

    file = recipe_files.load(recipe)
    folder = out or Path("saved_models") / file.name
    with importable(file.path.parent):  # the user's own code may lie beside the recipe
        content = _changed(file.content, assignments or [], smoke=smoke)
        if isinstance(content, Recipe):
            RunDir(folder).check_free(overwrite=overwrite)
        elif control:
            raise ValueError("--control is for recipes with a teacher, not for comparisons.")
        start_backend()
        from kcnn import pipeline

        if isinstance(content, Recipe):
            report = pipeline.run(
                content,
                file.name,
                folder,
                data_dir=data_dir,
                overwrite=overwrite,
                control=control,
            )
            show.receipts(report)
        else:
            compared = pipeline.run_comparison(
                content, file.name, folder, data_dir=data_dir, overwrite=overwrite
            )
            show.comparison(compared)
    console.print(f"\nEverything is in {folder}/", markup=False)


def _changed(
    content: "Recipe | Comparison", assignments: list[str], *, smoke: bool
) -> "Recipe | Comparison":
    """Return a recipe or a comparison as the flags change it."""
    from kcnn import comparison, pipeline
    from kcnn import recipe as recipes

    if isinstance(content, recipes.Recipe):
        return recipes.override(pipeline.smoke(content) if smoke else content, assignments)
    shortened = pipeline.smoke_comparison(content) if smoke else content
    return comparison.override(shortened, assignments)
