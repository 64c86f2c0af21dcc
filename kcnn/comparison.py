"""A comparison: a question, and the recipes whose trainings answer it. Frozen, checked data.

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

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from kcnn import recipe as recipes
from kcnn.errors import invalid
from kcnn.recipe import Recipe


def _without_repeats(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"a value appears twice. Received: {list(values)}")
    return values


# As a recipe's own JSON, also that of earlier versions.
Variant = Annotated[
    Recipe, BeforeValidator(recipes.from_values), PlainSerializer(recipes.to_values)
]
Seed = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Pixels = Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Comparison:
    """Recipes that are trained from the same seeds, to be shown side by side.

    Of each recipe only the sections about the training have an effect: data, model, train,
    trained, transfer and distill. `kcnn.pipeline.run_comparison` leaves the others out.

    Attributes:
        question: The question that the comparison answers.
        variants: The recipes, by the names that figures and tables give them.
        seeds: Each variant is trained once from each of them, in place of the recipes' own. A
            seed decides initial weights, validation images, order and augmentation.
        shifts: Distances in pixels. The test images are scored again after they were moved so far
            to the right and down, with black in the space that is left.
    """

    question: Annotated[str, Field(min_length=1)]
    variants: Annotated[dict[Annotated[str, Field(min_length=1)], Variant], Field(min_length=2)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_without_repeats)] = (0,)
    shifts: Annotated[tuple[Pixels, ...], AfterValidator(_without_repeats)] = ()


_COMPARISON = TypeAdapter(Comparison)
_OWN_KEYS = ("seeds", "shifts")
TRAINING_SECTIONS = ("data", "model", "train", "trained", "transfer", "distill")
"""The sections of a recipe that have an effect in a comparison."""
_OF_RUNS = ("checkpoint_steps", "loggers", "tensorboard")
_ONLY_RUNS = "A comparison keeps each training when it is done, and writes results.json alone."


def to_json(comparison: Comparison) -> str:
    """Return the comparison as indented JSON."""
    return json.dumps(_COMPARISON.dump_python(comparison, mode="json"), indent=2) + "\n"


def from_json(text: str) -> Comparison:
    """Return the comparison that `to_json` wrote.

    Raises:
        ValueError: The text is not a comparison; the message names the first wrong key.

    >>> from_json('{"question": "Why?", "variants": {}}')
    Traceback (most recent call last):
    ValueError: variants must have 2 or more entries. Received: 0
    """
    try:
        return _validated(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"Not a comparison: {error}.") from None


def override(comparison: Comparison, assignments: Iterable[str]) -> Comparison:
    """Return the comparison with `key=value` assignments applied and checked.

    `seeds=[0, 1]` and `shifts=[]` change the comparison itself. Every other key changes the recipe
    of every variant, as in `kcnn.recipe.override`.

    Raises:
        ValueError: A key is unknown or has no effect in a comparison, or a value is of the wrong
            type or out of its range.
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
        elif key.strip().removeprefix("train.") in _OF_RUNS:
            raise ValueError(f"{key.strip()} means nothing in a comparison. {_ONLY_RUNS}")
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


def check_variant(recipe: Recipe) -> None:
    """Refuse a recipe with a setting that a comparison would ignore.

    >>> check_variant(Recipe())
    """
    for name in _OF_RUNS:
        if value := getattr(recipe.train, name):
            raise ValueError(
                f"train.{name} means nothing in a comparison. {_ONLY_RUNS} "
                f"Received: train.{name}={value!r}"
            )


def _is_left_out(key: str) -> bool:
    section = key.partition(".")[0]
    return section in {field.name for field in dataclasses.fields(Recipe)} - {*TRAINING_SECTIONS}


def _numbers(key: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"Expected a list, like {key}=[0, 1]. Received: {text!r}") from None


def _validated(values: object) -> Comparison:
    try:
        return _COMPARISON.validate_python(values)
    except ValidationError as error:
        raise invalid(error, "comparison") from None
