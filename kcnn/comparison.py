"""A comparison: a question, and the recipes whose trainings answer it, as frozen, checked data.

>>> from kcnn.recipe import Data
>>> comparison = Comparison(
...     question="Does batch size 32 learn faster than 128?",
...     variants={
...         "32": Recipe(data=Data(batch_size=32)),
...         "128": Recipe(data=Data(batch_size=128)),
...     },
... )
>>> override(comparison, ["train.epochs=5"]).variants["128"].train.epochs
5
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from kcnn import recipe as recipes
from kcnn.errors import invalid
from kcnn.recipe import Recipe


def _without_repeats(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"a value is there twice. Received: {list(values)}")
    return values


Seed = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Pixels = Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Comparison:
    """Variants that are trained alike, from each of the same seeds, to be shown side by side.

    Of a variant's recipe the sections data, model, train, transfer and distill count; the others
    are left out. `seeds` stand for the recipes' own: each decides initial weights, validation set,
    order and augmentation of one training of every variant. `shifts` are distances in pixels by
    which the test images are moved to the right and down, with black behind them, to be scored
    again.
    """

    question: Annotated[str, Field(min_length=1)]
    variants: Annotated[dict[Annotated[str, Field(min_length=1)], Recipe], Field(min_length=2)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_without_repeats)] = (0,)
    shifts: Annotated[tuple[Pixels, ...], AfterValidator(_without_repeats)] = ()


_COMPARISON = TypeAdapter(Comparison)
_OWN_KEYS = ("seeds", "shifts")
_COMPARED = ("data", "model", "train", "trained", "transfer", "distill")  # of each recipe


def to_json(comparison: Comparison) -> str:
    """Return the comparison as indented JSON."""
    return json.dumps(_COMPARISON.dump_python(comparison, mode="json"), indent=2) + "\n"


def from_json(text: str) -> Comparison:
    """Return the comparison that `to_json` wrote.

    Raises:
        ValueError: the text is no comparison; the message names the first wrong key.

    >>> from_json('{"question": "Why?", "variants": {}}')
    Traceback (most recent call last):
    ValueError: variants must have 2 or more entries. Received: 0
    """
    try:
        return _validated(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"Not a comparison: {error}.") from None


def override(comparison: Comparison, assignments: Iterable[str]) -> Comparison:
    """Return the comparison with `key=value` assignments applied and checked.

    `seeds=[0, 1]` and `shifts=[]` are the comparison's own; every other key is a recipe's, as in
    `kcnn.recipe.override`, and applies to every variant.

    Raises:
        ValueError: an unknown key, a wrong type or range.
    """
    own, shared = {}, []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if equals and key.strip() in _OWN_KEYS:
            own[key.strip()] = _numbers(key.strip(), text)
        elif key.strip() == "seed":
            raise ValueError(f"A comparison has seeds, like seeds=[0, 1]. Received: {assignment!r}")
        elif _is_left_out(key.strip()):
            raise ValueError(
                f"{key.strip()}: a comparison only trains its recipes, and leaves the section "
                f"{key.strip().partition('.')[0]!r} out. Received: {assignment!r}"
            )
        else:
            shared.append(assignment)
    variants = {}
    for name, recipe in comparison.variants.items():
        try:
            variants[name] = recipes.override(recipe, shared)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    values = _COMPARISON.dump_python(dataclasses.replace(comparison, variants=variants))
    return _validated(values | own)


def _is_left_out(key: str) -> bool:
    section = key.partition(".")[0]
    return section in {field.name for field in dataclasses.fields(Recipe)} - {*_COMPARED}


def _numbers(key: str, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"Expected a list, like {key}=[0, 1]. Received: {text!r}") from None


def _validated(values: object) -> Comparison:
    try:
        return _COMPARISON.validate_python(values)
    except ValidationError as error:
        raise invalid(error, "comparison") from None
