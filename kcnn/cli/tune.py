"""The command `kcnn tune`: good values for the fields of a recipe, in many trials."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kcnn.cli import show
from kcnn.cli.console import console
from kcnn.cli.run import stopping_well
from kcnn.cli.shared import Assignments, DataDir, RecipeName, SkipDamaged, start_backend
from kcnn.own_code import importable

if TYPE_CHECKING:
    from kcnn.recipe import Recipe
    from kcnn.recipe_files import RecipeFile
    from kcnn.sweep import Sweep


def tune(  # noqa: PLR0913 - one argument for each flag
    recipe: RecipeName,
    trials: Annotated[
        int | None, typer.Option(help="How many in all, those of earlier calls included; 20.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Train the recipe from so many seeds, without a search.")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="Search int8 files of at most this size.")
    ] = None,
    max_ms: Annotated[
        float | None, typer.Option(help="Search int8 files that take at most this for an image.")
    ] = None,
    workers: Annotated[int, typer.Option(help="How many processes on this machine.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option(help="A database that machines share: postgresql://USER@HOST/DATABASE."),
    ] = None,
    assignments: Assignments = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="The study's folder; else runs/tune/RECIPE.")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Two trials in seconds: few images, one epoch.")
    ] = False,
    skip_damaged: SkipDamaged = False,
    quiet: Annotated[bool, typer.Option("--as-worker", hidden=True)] = False,
) -> None:
    """Search good values for a recipe in trials, which are runs.

    The recipe's file says what is searched: sweep = kcnn.sweep.Sweep(recipe=..., space={...}). The
    same command goes on with a study that was stopped; on another machine, with the same --storage,
    it takes part in it.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ValueError("kcnn tune needs Optuna: pip install 'kcnn[tune]'.")
    from kcnn import recipe_files
    from kcnn.tune.processes import check_workers, run_workers
    from kcnn.tune.study_search import open_search, work_on

    check_workers(workers)
    file = recipe_files.load(recipe, to_tune=True)
    with importable(file.path.parent):  # the user's own code may lie beside the recipe
        changes = [*(assignments or []), *["data.skip_damaged=true"] * skip_damaged]
        content = _changed(file, changes, smoke=smoke)
        folder = out or Path("runs", "smoke" if smoke else "", "tune", file.name)
        if smoke and seeds is None:
            trials = 2 if trials is None else trials
        flags: dict[str, Any] = {"trials": trials, "seeds": seeds, "storage": storage}
        flags |= {"max_bytes": max_bytes, "max_ms": max_ms}
        opened = open_search(content, folder, **flags)
        with stopping_well(folder, overwrite=False):
            if workers > 1:
                command = _arguments(recipe, changes, **flags, data_dir=data_dir, out=folder)
                run_workers(opened, command + ["--smoke"] * smoke, workers)
                report = opened.write()
            else:
                start_backend()
                report = work_on(opened, data_dir)
    if not quiet:
        show.study(report)
        console.print(f"\nEverything is in {folder}/; its page is study.html")


def _arguments(recipe: str, assignments: list[str], **options: object) -> list[str]:
    """Return the command of one worker."""
    words = ["tune", recipe, "--as-worker"]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words + [word for each in assignments for word in ("--set", each)]


def _changed(file: "RecipeFile", assignments: list[str], *, smoke: bool) -> "Sweep | Recipe":
    """Return the sweep, or the recipe of a file without one, as the flags change its recipe."""
    import dataclasses

    from kcnn import pipeline
    from kcnn.recipe import override

    sweep = file.sweep
    recipe = sweep.recipe if sweep else file.recipe
    for assignment in assignments:
        key = assignment.partition("=")[0].strip()
        if sweep and key in sweep.space:
            raise ValueError(f"{key} is searched: change its range in the sweep, not by --set.")
    recipe = override(pipeline.smoke(recipe) if smoke else recipe, assignments)
    return dataclasses.replace(sweep, recipe=recipe) if sweep else recipe
