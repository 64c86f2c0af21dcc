"""The folder of a run that names none: a new one, or that of an unfinished run."""

import logging
import re
from pathlib import Path

from kcnn.comparison import Comparison
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.unfinished import find_unfinished
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir

RUNS = Path("runs")
"""Where runs go, in the current folder."""
_EARLIER = Path("saved_models")  # where they went in earlier versions

logger = logging.getLogger("kcnn")


def next_folder(
    content: Recipe | Comparison,
    name: str,
    *,
    smoke: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    deterministic: bool = False,
) -> Path:
    """Return the folder of a run of the recipe `name` in the current folder.

    The first run of a recipe goes to `runs/NAME`, the second one to `runs/NAME-2`. One that was
    stopped goes on in its folder if it is the newest one, and was begun with the same settings; so
    does a comparison that has new variants or seeds. Runs of `--smoke` are in `runs/smoke`.

    Args:
        content: What is run.
        name: The name of the recipe.
        smoke: Whether the run is a short one.
        overwrite: Take the newest folder, to begin again in it.
        resume: Take the newest folder, to go on in it.
        deterministic: Whether the run computes deterministically.
    """
    base = RUNS / "smoke" / name if smoke else RUNS / name
    folders = _numbered(base)
    newest = folders[max(folders)] if folders else base
    if overwrite or resume:
        return newest
    earlier = _EARLIER / name
    if not folders and not smoke and _is_unfinished(content, earlier, deterministic):
        return earlier
    if not folders or _is_empty(newest) or _goes_on(content, newest, deterministic):
        return newest
    folder = base.with_name(f"{name}-{max(folders) + 1}")
    logger.info("%s is taken: this run goes to %s", newest, folder)
    return folder


def _numbered(base: Path) -> dict[int, Path]:
    """Return what is called `base`, `base-2`, `base-3` and so on, by its number."""
    found = {1: base} if base.exists() else {}
    for path in base.parent.glob("*"):
        number = re.fullmatch(re.escape(base.name) + r"-([1-9]\d*)", path.name)
        if number and int(number[1]) > 1:
            found[int(number[1])] = path
    return found


def _is_empty(folder: Path) -> bool:
    """Return whether nothing is in a folder but hidden files: a lock, or what a kill left."""
    return folder.is_dir() and all(each.name.startswith(".") for each in folder.iterdir())


def _is_unfinished(content: Recipe | Comparison, folder: Path, deterministic: bool) -> bool:
    """Return whether the folder holds the same run, stopped; published results are finished."""
    if not folder.is_dir() or not _goes_on(content, folder, deterministic):
        return False
    if isinstance(content, Comparison):
        from kcnn.pipeline.comparison_folder import RESULTS
        from kcnn.report.comparison_report import load

        return bool(load(folder / RESULTS).missing())
    return True


def _goes_on(content: Recipe | Comparison, folder: Path, deterministic: bool) -> bool:
    """Return whether the folder holds the same run, and something of it is missing."""
    if isinstance(content, Comparison):
        from kcnn.pipeline.comparison_folder import stored_report

        try:
            stored = stored_report(content, folder)
        except ValueError:  # another comparison, a run, or files of another kind
            return False
        return stored is not None and bool(stored.missing())
    run_dir = RunDir(folder)
    try:
        journal = Journal.read(run_dir)
        if journal is None or journal.finished:
            return False
        find_unfinished(content, run_dir, deterministic=deterministic)
    except ValueError:  # of other settings, or damaged
        return False
    return True
