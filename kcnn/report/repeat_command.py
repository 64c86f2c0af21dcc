"""The command that repeats a run."""

import dataclasses
import json
import shlex
from typing import Any

from pydantic import TypeAdapter

from kcnn import recipe_files
from kcnn.model_places import by_name
from kcnn.recipe import DEPENDENT, Recipe, override
from kcnn.report.receipts import CONTROL, Report

_IMPLIED = {f"train.{name}" for name in DEPENDENT} | {"data.fold", "data.validation", "model.name"}
"""Keys whose value may follow from others."""
_NOT_WORDS = ("none", "true", "false", "null")  # what the command line does not read as text


def repeat_command(report: Report, recipe: Recipe) -> str | None:
    """Return the `kcnn run` that repeats a run with the recipes of this version of kcnn.

    Returns:
        The command, or None for a recipe that kcnn does not ship, such as a user's own file.

    >>> shipped = recipe_files.load("quickstart").recipe
    >>> Run = dataclasses.make_dataclass("Run", ["recipe", "receipts", "training"])
    >>> repeat_command(Run("quickstart", (), {}), dataclasses.replace(shipped, seed=7))
    'kcnn run quickstart --set seed=7'
    """
    try:
        shipped = recipe_files.load(report.recipe).recipe
        assignments = _assignments(shipped, _by_name(recipe).resolved())
    except ValueError:
        return None
    if assignments is None:
        return None
    words = ["kcnn", "run", report.recipe]
    words += [word for assignment in assignments for word in ("--set", assignment)]
    if any(receipt.name == CONTROL for receipt in report.receipts):
        words.append("--control")
    if report.training.get("deterministic"):
        words.append("--deterministic")
    return shlex.join(words)


def _by_name(recipe: Recipe) -> Recipe:
    """Return the recipe with the names of published models; earlier ones had their folders."""
    if recipe.trained:
        recipe = dataclasses.replace(recipe, trained=by_name(recipe.trained))
    if recipe.distill:
        distill = dataclasses.replace(recipe.distill, teacher=by_name(recipe.distill.teacher))
        recipe = dataclasses.replace(recipe, distill=distill)
    return recipe


def _assignments(shipped: Recipe, wanted: Recipe) -> list[str] | None:
    """Return what turns the shipped recipe into the wanted one, None if nothing does."""
    found = differences(_values(shipped.resolved()), _values(wanted))
    # Left out with what gave it an effect, or there as it is without being given.
    for each in [each for each in found if each.split("=")[0] in _IMPLIED]:
        others = [other for other in found if other != each]
        if each.endswith("=none") or override(shipped, others).resolved() == wanted:
            found = others
    if override(shipped, found).resolved() == wanted:
        return found
    # A share of validation images that is the recipe's has to be said for other images.
    found = [*found, f"data.validation={wanted.data.validation}"]
    return found if override(shipped, found).resolved() == wanted else None


def _values(recipe: Recipe) -> dict[str, Any]:
    """Return all fields of a recipe, those without effect as None."""
    return TypeAdapter(Recipe).dump_python(recipe, mode="json")


def differences(base: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the `key=value` assignments that turn one recipe's JSON into another's.

    >>> differences({"seed": 0, "train": {"epochs": 3}}, {"seed": 0, "train": {"epochs": 5}})
    ['train.epochs=5']
    """
    found = []
    for key, value in wanted.items():
        known = base.get(key)
        if value == known and type(value) is type(known):
            continue
        if isinstance(value, dict) and isinstance(known, dict) and value.keys() == known.keys():
            found += differences(known, value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}={_text(value)}")
    return found


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str) and value.isidentifier() and value.lower() not in _NOT_WORDS:
        return value
    return json.dumps(value)
