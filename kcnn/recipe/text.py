"""Recipes as text: JSON, and the `key=value` assignments of a command line."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kcnn.errors import invalid, unknown
from kcnn.recipe.dependent import DEPENDENT, SWITCHES, drop_written, has_effect
from kcnn.recipe.inputs import Data
from kcnn.recipe.muon import Muon
from kcnn.recipe.sections import Recipe

_RECIPE = TypeAdapter(Recipe)

_NONE_IS_A_NAME = ("data.augment", "tta")


def to_json(recipe: Recipe) -> str:
    """Return the recipe as indented JSON, the content of a run's `recipe.json`.

    Fields that have no effect are left out; so is the training of a recipe that does not train.
    """
    return json.dumps(to_values(recipe), indent=2) + "\n"


def to_values(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as JSON's own types; `to_json` writes them."""
    values = _RECIPE.dump_python(recipe, mode="json")
    if recipe.trained:
        del values["train"]
    else:
        values["train"] = {
            name: value
            for name, value in values["train"].items()
            if name not in DEPENDENT or value is not None
        }
    if recipe.data.folds:
        del values["data"]["validation"]
    unused = {"data": ("folds", "fold", "groups"), "model": ("name",)}
    if recipe.transfer:
        unused["transfer"] = ("head_learning_rate",)
    for section, names in unused.items():
        for name in names:
            if values[section][name] is None:
                del values[section][name]
    return values


def from_values(values: Any) -> Any:
    """Return the values of a recipe's JSON as this version writes them, whatever version did.

    What is no recipe is returned as it is.
    """
    if not isinstance(values, dict):
        return values
    values = dict(values)
    if isinstance(values.get("train"), dict):
        values["train"] = drop_written(values["train"], unused=bool(values.get("trained")))
    model, transfer = values.get("model"), values.get("transfer")
    if isinstance(model, dict) and (values.get("trained") or transfer):
        if model.get("name") == "simple_cnn":  # as files had it if no name was given
            values["model"] = model | {"name": None}
    if isinstance(transfer, dict) and transfer.get("head_epochs") == 0:
        if transfer.get("head_learning_rate") == 0.01:  # which every file had
            values["transfer"] = transfer | {"head_learning_rate": None}
    return values


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
    return _validated(from_values(values))


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """Return the recipe with `section.key=value` assignments applied and checked.

    A value is JSON (`5`, `0.1`, `true`, `[0.5, 0.8]`), `none`, or else a plain word.
    `prune=none` leaves a section out; `data.augment=none` is the augmentation of that name. With
    another schedule or optimizer the recipe's own fields that have no effect then are left out too
    (see `left_out`); one that is assigned is refused. So are its share of validation images, for
    images of the user's own and for folds, and its name of a network beside a pretrained one.

    Raises:
        ValueError: A key is unknown (the message names the closest one) or has no effect, or a
            value is of the wrong type or out of its range.

    >>> override(Recipe(), ["train.epocs=5"])
    Traceback (most recent call last):
    ValueError: Unknown key 'train.epocs'. Did you mean 'train.epochs'? ...
    >>> override(Recipe(), ["train.epochs=0"])
    Traceback (most recent call last):
    ValueError: train.epochs must be at least 1. Received: 0
    """
    values, assigned = _RECIPE.dump_python(recipe, mode="json"), []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"Expected key=value, like train.epochs=5. Received: {assignment!r}")
        assigned.append(key.strip())
        _assign(values, key.strip(), _value(key.strip(), text.strip()))
    _drop_idle(values, assigned)
    changed = _validated(values)
    for key in assigned:
        if changed.trained and key.startswith("train."):
            raise ValueError(f"{key} means nothing with trained, which leaves the training out.")
    if changed.data.folds and "data.validation" in assigned:  # refused if it is the default, too
        raise ValueError("data.validation means nothing with data.folds, of which one is kept.")
    return changed


def left_out(recipe: Recipe, changed: Recipe) -> dict[str, Any]:
    """Return the fields that `override` has left out, with their values.

    >>> from kcnn.recipe import Train
    >>> recipe = Recipe(train=Train(schedule="cosine", warmup_epochs=2))
    >>> left_out(recipe, override(recipe, ["train.schedule=constant"]))
    {'train.warmup_epochs': 2.0}
    """
    before, after = vars(recipe.train), vars(changed.train)
    found = {
        f"train.{field}": before[field]
        for field in (*DEPENDENT, *SWITCHES)
        if before[field] not in (None, False) and after[field] in (None, False)
    }
    share, unasked = recipe.data.validation, Data().validation
    if changed.data != recipe.data and share != unasked == changed.data.validation:
        found["data.validation"] = share
    if recipe.model.name and not changed.model.name:
        found["model.name"] = recipe.model.name
    return found


def _drop_idle(values: dict[str, Any], assigned: Sequence[str]) -> None:
    """Leave out the recipe's own fields that the assignments have made idle."""
    _drop_share(values, assigned)
    pretrained = {"trained", "transfer", "transfer.base"} & {*assigned}
    model = values.get("model")
    if pretrained and isinstance(model, dict) and not {"model", "model.name"} & {*assigned}:
        if values.get("trained") or values.get("transfer"):
            model["name"] = None
    train = values.get("train")
    if isinstance(train, dict) and "train" not in assigned:
        for field in (*DEPENDENT, *SWITCHES):
            given = any(f"{key}.".startswith(f"train.{field}.") for key in assigned)
            absent = False if field in SWITCHES else None
            if not (given or has_effect(field, train)):
                train[field] = absent
    transfer = values.get("transfer")
    if "transfer.head_epochs" in assigned and isinstance(transfer, dict):
        if not transfer.get("head_epochs") and "transfer.head_learning_rate" not in assigned:
            transfer["head_learning_rate"] = None


def _drop_share(values: dict[str, Any], assigned: Sequence[str]) -> None:
    """Leave out a share of validation images that was chosen for other images, or beside folds."""
    data = values.get("data")
    if not isinstance(data, dict) or {"data", "data.validation"} & {*assigned}:
        return
    # A fiftieth of CIFAR-10 is 1,000 images, of a folder of photographs it may be two.
    own = "data.name" in assigned and str(data.get("name")).startswith(("folder:", "arrays:"))
    if own or data.get("folds"):
        data["validation"] = Data().validation


def _assign(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    node: Any = values
    for section in sections:
        if section == "muon" and isinstance(node, dict) and node.get("muon", 0) is None:
            node["muon"] = vars(Muon()).copy()
        node = node.get(section) if isinstance(node, dict) else None
        if node is None and section in values:
            raise ValueError(
                f"{key}: this recipe leaves the section {section!r} out. To add it, set the whole "
                f"section as JSON, such as '{section}={json.dumps({last: value})}'."
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


def _value(key: str, text: str) -> object:
    if text.lower() == "none":
        return "none" if key in _NONE_IS_A_NAME else None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a plain word, a number of 5,000 digits, deep lists
        return text


def _validated(values: object) -> Recipe:
    try:
        return _RECIPE.validate_python(values)
    except ValidationError as error:
        raise invalid(error, "recipe") from None
