"""Recipes as text: JSON, and the `key=value` assignments of a command line."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kcnn.errors import invalid, unknown
from kcnn.recipe.sections import Recipe

_RECIPE = TypeAdapter(Recipe)


def to_json(recipe: Recipe) -> str:
    """Return the recipe as indented JSON, the content of a run's `recipe.json`."""
    return json.dumps(_RECIPE.dump_python(recipe, mode="json"), indent=2) + "\n"


def from_json(text: str) -> Recipe:
    """Return the recipe that `to_json` wrote, also of earlier versions of kcnn.

    Raises:
        ValueError: The text is not a recipe; the message names the first wrong key.

    >>> from_json(to_json(Recipe(seed=3))).seed
    3
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Not a recipe: {error}.") from None
    if isinstance(values, dict) and isinstance(values.get("train"), dict):
        values["train"].setdefault("precision", "float32")  # the only one before it was a field
    return _validated(values)


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """Return the recipe with `section.key=value` assignments applied and checked.

    A value is JSON (`5`, `0.1`, `true`, `[0.5, 0.8]`), `none`, or else a plain word.
    `prune=none` leaves a section out.

    Raises:
        ValueError: A key is unknown (the message names the closest one), or a value is of the wrong
            type or out of its range.

    >>> override(Recipe(), ["train.epocs=5"])
    Traceback (most recent call last):
    ValueError: Unknown key 'train.epocs'. Did you mean 'train.epochs'? ...
    >>> override(Recipe(), ["train.epochs=0"])
    Traceback (most recent call last):
    ValueError: train.epochs must be at least 1. Received: 0
    """
    values = _RECIPE.dump_python(recipe, mode="json")
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"Expected key=value, like train.epochs=5. Received: {assignment!r}")
        _assign(values, key.strip(), _value(text.strip()))
    return _validated(values)


def _assign(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    node: Any = values
    for section in sections:
        node = node.get(section) if isinstance(node, dict) else None
        if node is None and section in values:
            raise ValueError(
                f"{key}: this recipe leaves the section {section!r} out. To add it, set the whole "
                f"section as JSON: {section}={{...}}."
            )
    free = sections == ["model", "options"]
    if not isinstance(node, dict) or (last not in node and not free):
        raise unknown("key", key, _keys(values))
    node[last] = value


def _keys(values: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in values.items():
        inner = _keys(value, f"{prefix}{name}.") if isinstance(value, dict) else []
        keys.extend(inner or [f"{prefix}{name}"])
    return keys


def _value(text: str) -> object:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a plain word, a number of 5,000 digits, deep lists
        return text


def _validated(values: object) -> Recipe:
    try:
        return _RECIPE.validate_python(values)
    except ValidationError as error:
        raise invalid(error, "recipe") from None
