"""The unfinished run in a folder that the same recipe goes on with."""

from typing import Any

from kcnn.data.catalogue import absolute
from kcnn.errors import naming
from kcnn.pipeline.journal import Journal
from kcnn.recipe import Recipe, from_json, to_values
from kcnn.run_dir import RunDir


def find_unfinished(
    recipe: Recipe,
    run_dir: RunDir,
    *,
    overwrite: bool = False,
    resume: bool = False,
    deterministic: bool = False,
) -> Recipe | None:
    """Return the recipe of the unfinished run that goes on in a folder, None for a new run.

    The recipe is the given one, with the precision that was chosen when the run began.

    Args:
        recipe: The recipe that is asked for.
        run_dir: The run's folder.
        overwrite: Begin again in a folder that holds a run.
        resume: Demand an unfinished run.
        deterministic: Whether to compute deterministically, which an unfinished run does from its
            beginning or not at all.

    Raises:
        ValueError: The folder holds another run, a finished one or something else, an unfinished
            run has lost its recipe, or there is none that `resume` could go on with.
    """
    if overwrite and resume:
        raise ValueError("--resume goes on with a run, --overwrite begins again: leave one out.")
    journal = None if overwrite else Journal.read(run_dir)
    if journal is None or journal.finished:
        if resume:
            which = "no run" if journal is None else "a finished run"
            raise ValueError(
                f"{str(run_dir.path)!r} holds {which}: there is nothing to go on with. --resume is "
                "for unfinished runs."
            )
        run_dir.check_free(overwrite=overwrite)
        return None
    if not run_dir.recipe.is_file():
        kept = run_dir.best.parent
        if not (resume or journal.earlier or kept.exists()):
            return None  # it was stopped before it had written anything else
        raise ValueError(
            f"{str(run_dir.recipe)!r} is missing, without which the unfinished run cannot go on: "
            "put it back, or pass --overwrite to begin again."
        )
    try:
        with naming(run_dir.recipe):
            begun = from_json(run_dir.recipe.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{error} The run cannot go on without its recipe: pass --overwrite to begin again, or "
            "another --out."
        ) from error
    _check_same(begun, recipe, run_dir)
    if journal.deterministic != deterministic:
        how = "with" if journal.deterministic else "without"
        raise ValueError(
            f"{str(run_dir.path)!r} holds an unfinished run that was begun {how} --deterministic "
            "(deterministic=True in Python): go on in the same way, or pass --overwrite."
        )
    return begun


def _check_same(begun: Recipe, recipe: Recipe, run_dir: RunDir) -> None:
    if difference := first_difference(begun, recipe):
        key, there, here = difference
        raise ValueError(
            f"{str(run_dir.path)!r} holds an unfinished run with {key}={there!r:.80}: pass "
            f"--overwrite to begin again, or another --out. Received: {key}={here!r:.80}"
        )


def first_difference(begun: Recipe, recipe: Recipe) -> tuple[str, Any, Any] | None:
    """Return the first field in which two recipes differ, and its two values; None if in none.

    A precision that was left open in `recipe` is that of the run that was begun.
    """
    there, here = (flat(to_values(each.resolved())) for each in (begun, recipe))
    for recipes in (there, here):  # one of them may be of before paths were made absolute
        recipes["data.name"] = absolute(recipes["data.name"])
    if here.get("train.precision") == "auto" and "train.precision" in there:
        here["train.precision"] = there["train.precision"]
    for key in there | here:
        if there.get(key) != here.get(key):
            return key, there.get(key), here.get(key)
    return None


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their keys with dots between, as `--set` takes them."""
    flat_values: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat_values |= flat(value, f"{prefix}{name}.")
        else:
            flat_values[f"{prefix}{name}"] = value
    return flat_values
