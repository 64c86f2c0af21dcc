"""A run that replaces another one: it is built beside it, and takes its place when it is whole."""

import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from kcnn.pipeline.journal import Journal
from kcnn.pipeline.lock import lock
from kcnn.pipeline.plan import stage_files as patterns_of
from kcnn.pipeline.unfinished import find_unfinished
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir

logger = logging.getLogger("kcnn")


def find_folder(
    recipe: Recipe, target: RunDir, *, overwrite: bool, resume: bool, deterministic: bool = False
) -> tuple[RunDir, Recipe | None]:
    """Return the folder that a run works in, and the recipe of the unfinished run it continues.

    It works in `target` itself, unless it replaces a run that is there.

    Raises:
        ValueError: As `find_unfinished`.
    """
    _end_exchange(recipe, target)
    begun = find_unfinished(
        recipe, target, overwrite=overwrite, resume=resume, deterministic=deterministic
    )
    if not (overwrite and target.recipe.is_file()):
        return target, begun
    if begun := _just_replaced(recipe, target, deterministic=deterministic):
        return target, begun
    work = RunDir(beside(target.path))
    if os.path.ismount(target.path) or not os.access(work.path.parent, os.W_OK):
        raise ValueError(
            f"{str(target.path)!r} cannot be renamed, so no run can take its place: name another "
            "--out."
        )
    try:
        return work, find_unfinished(recipe, work, deterministic=deterministic)
    except ValueError as reason:  # of another recipe, or damaged
        logger.info("removing an unfinished run: %s", reason)
        shutil.rmtree(work.path)
        return work, None


def _end_exchange(recipe: Recipe, target: RunDir) -> None:
    """End an exchange of two runs that was killed, unless another process is about to end it."""
    old = _old(target)
    if not old.is_dir():
        return
    with lock(old):
        if not target.path.exists():  # it was killed between two renames
            os.rename(old, target.path.resolve())
        else:  # it was killed after them
            _keep_own_files(old, target, patterns_of(recipe, RunDir(old)))


def _just_replaced(recipe: Recipe, target: RunDir, *, deterministic: bool) -> Recipe | None:
    """Return the recipe of a run that was killed after it had taken the place of an earlier one.

    The same command, with --overwrite, is to end it, not to train all of it again.
    """
    try:
        journal = Journal.read(target)
        if journal and journal.complete and journal.replaces and not journal.finished:
            return find_unfinished(recipe, target, deterministic=deterministic)
    except ValueError:  # damaged, or of another recipe: it is replaced
        pass
    return None


def take_place(work: RunDir, target: RunDir, stage_files: Iterable[str]) -> None:
    """Let the finished run in `work` take the place of the one in `target`.

    Files of the user's own beside the old run's stay.

    Args:
        work: The folder of the finished run; nothing happens if it is `target`.
        target: The folder of the run that is replaced.
        stage_files: Patterns of the files that stages write.
    """
    if work == target:
        return
    old, place = _old(target), target.path.resolve()  # the folder itself, not a link to it
    shutil.rmtree(old, ignore_errors=True)
    os.rename(place, old)
    os.rename(work.path, place)
    _keep_own_files(old, target, stage_files)


def _keep_own_files(old: Path, target: RunDir, stage_files: Iterable[str]) -> None:
    """Move the user's own files from the replaced run to the new one, and remove the rest."""
    written = {file.name for file in RunDir(old).files(stage_files)}
    for entry in old.iterdir():
        if entry.name not in written | {"checkpoints", "tensorboard"}:
            os.rename(entry, target.path / entry.name)
    shutil.rmtree(old)


def beside(folder: Path) -> Path:
    """Return the folder in which a run is built that replaces the one in `folder`."""
    folder = folder.resolve()  # "." has no name, and a link may lie on another disk
    return folder.with_name(f".{folder.name}.new")


def _old(target: RunDir) -> Path:
    folder = target.path.resolve()
    return folder.with_name(f".{folder.name}.old")
