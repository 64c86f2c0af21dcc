"""The command `kcnn run`: all that a recipe or a comparison says."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kcnn.cli import show
from kcnn.cli.console import console
from kcnn.cli.shared import Assignments, DataDir, RecipeName, SkipDamaged, start_backend
from kcnn.own_code import importable

if TYPE_CHECKING:
    from kcnn.comparison import Comparison
    from kcnn.recipe import Recipe
    from kcnn.training.devices import Devices

logger = logging.getLogger("kcnn")


def run(  # noqa: PLR0913 - one argument for each flag
    recipe: RecipeName,
    assignments: Assignments = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run's folder; else runs/RECIPE, runs/RECIPE-2, ..."),
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Demand an unfinished run to go on with.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Equal bits in every run; slower.")
    ] = False,
    skip_damaged: SkipDamaged = False,
    devices: Annotated[
        str | None,
        typer.Option(help="Train on several devices, a number or all; each does its share."),
    ] = None,
) -> None:
    """Run a recipe, or train and compare those of a comparison.

    A run trains a model, compresses it, exports it as int8 and explains it, and leaves models,
    numbers and pictures in a folder: runs/RECIPE, runs/RECIPE-2 and so on, and those of --smoke in
    runs/smoke. `kcnn list` names the recipes that come with kcnn. The same command goes on with a
    run that was stopped.
    """
    from kcnn import recipe_files
    from kcnn.sweep import Sweep

    file = recipe_files.load(recipe)
    wanted = file.recipe if isinstance(file.content, Sweep) else file.content  # or says why not
    flags: dict[str, Any] = {"control": control, "resume": resume, "deterministic": deterministic}
    flags["devices"] = _devices(devices)
    with importable(file.path.parent):  # the user's own code may lie beside the recipe
        changes = [*(assignments or []), *["data.skip_damaged=true"] * skip_damaged]
        content = _changed(wanted, changes, smoke=smoke)
        folder = out or _next_folder(content, file.name, smoke, overwrite, flags)
        with stopping_well(folder, overwrite=overwrite):
            _run(content, file.name, folder, data_dir, overwrite, flags)
    console.print(f"\nEverything is in {folder}/")


def _devices(text: str | None) -> "Devices | None":
    """Return the value of --devices."""
    if text is None or text == "all":
        return text
    if not text.isdecimal() or not int(text):
        raise ValueError(f"--devices is a number of at least 1, or all. Received: {text!r}")
    return int(text)


def _next_folder(
    content: "Recipe | Comparison", name: str, smoke: bool, overwrite: bool, flags: dict[str, Any]
) -> Path:
    from kcnn.pipeline.next_folder import next_folder

    asked = {flag: flags[flag] for flag in ("resume", "deterministic")}
    return next_folder(content, name, smoke=smoke, overwrite=overwrite, **asked)


def _run(
    content: "Recipe | Comparison",
    name: str,
    folder: Path,
    data_dir: str | None,
    overwrite: bool,
    flags: dict[str, Any],
) -> None:
    from kcnn.pipeline.replace import beside
    from kcnn.pipeline.unfinished import find_unfinished
    from kcnn.recipe import Recipe
    from kcnn.run_dir import RunDir

    if isinstance(content, Recipe):  # before the seconds that a backend takes to start
        asked = {name: flags[name] for name in ("resume", "deterministic")}
        find_unfinished(content, RunDir(folder), overwrite=overwrite, **asked)
    elif given := [flag for flag, value in flags.items() if value]:
        raise ValueError(f"--{given[0]} is for recipes, not for comparisons.")
    start_backend()
    from kcnn import pipeline
    from kcnn.pipeline import several_processes

    several_processes.join_processes(flags["devices"], control=flags["control"])
    if isinstance(content, Recipe) and several_processes.is_helper():
        several_processes.help_training(content, data_dir)
        raise typer.Exit
    options: Any = {"data_dir": data_dir, "overwrite": overwrite}
    if isinstance(content, Recipe):
        report = pipeline.run(content, name, folder, **(options | flags))
        show.receipts(report)
        if failed := report.training.get("failed"):
            place = beside(folder) if overwrite and beside(folder).is_dir() else folder
            raise RuntimeError(f"All but this is in {place}/: {failed}")
    else:
        show.comparison(pipeline.run_comparison(content, name, folder, **options))


@contextmanager
def stopping_well(folder: Path, *, overwrite: bool) -> Iterator[None]:
    """End an interrupted command in one line that says how to go on."""
    earlier = overwrite and _holds_something(folder)
    try:
        yield
    except KeyboardInterrupt as stopped:
        console.print(f"\nStopped.{how_to_go_on(folder, overwrite=overwrite, earlier=earlier)}")
        raise typer.Exit(128 + getattr(stopped, "signal", signal.SIGINT)) from None


def how_to_go_on(folder: Path, *, overwrite: bool, earlier: bool = False) -> str:
    """Return what the last line of a stopped run says, "" if nothing of it is kept.

    Args:
        folder: The run's folder.
        overwrite: Whether the run replaces what the folder holds.
        earlier: Whether the folder held something to replace when the command began.
    """
    from kcnn.pipeline.comparison_folder import NEW_RESULTS
    from kcnn.pipeline.replace import beside

    command = "the same command"
    if overwrite and beside(folder).is_dir():  # the earlier run is still in its folder
        folder = beside(folder)
    elif earlier and (folder / NEW_RESULTS).is_file():  # of a comparison
        pass
    elif earlier and not _has_replaced(folder):
        return f" The earlier run in {folder}/ is untouched."
    elif overwrite and not earlier:
        command += " without --overwrite"
    if not _holds_something(folder):
        return ""
    return f" What is done is kept in {folder}/: {command} goes on from there."


def _holds_something(folder: Path) -> bool:
    """Return whether a folder has files that are not hidden; the lock makes empty folders."""
    return folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir())


def _has_replaced(folder: Path) -> bool:
    """Return whether the run in a folder has taken the place of an earlier one, and ends now."""
    from kcnn.pipeline.journal import Journal
    from kcnn.run_dir import RunDir

    with suppress(ValueError):  # damaged: it is not of this command
        journal = Journal.read(RunDir(folder))
        return journal is not None and journal.replaces and not journal.finished
    return False


def _changed(
    content: "Recipe | Comparison", assignments: list[str], *, smoke: bool
) -> "Recipe | Comparison":
    """Return a recipe or a comparison as the flags change it."""
    from kcnn import comparison, pipeline
    from kcnn import recipe as recipes

    if isinstance(content, recipes.Recipe):
        shortened = pipeline.smoke(content) if smoke else content
        changed = recipes.override(shortened, assignments)
        for key, value in recipes.left_out(shortened, changed).items():
            of_other_data = key == "data.validation" and not changed.data.folds
            reason = "is for its own data" if of_other_data else "has no effect"
            logger.info("%s=%s of the recipe %s: left out", key, value, reason)
        return changed
    short = pipeline.smoke_comparison(content) if smoke else content
    return comparison.override(short, assignments)
