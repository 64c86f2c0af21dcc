"""The recipe of a trial, and the check of a whole search space before the first one."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from kcnn.comparison import TRAINING_SECTIONS
from kcnn.recipe import DEPENDENT, Recipe, override
from kcnn.recipe.dependent import SWITCHES, has_effect
from kcnn.sweep import Sweep
from kcnn.tune.goal import Goal

Values = Mapping[str, Any]
"""What a trial has drawn, by the recipe's keys."""

SEED = "seed"


def for_goal(sweep: Sweep, goal: Goal) -> Sweep:
    """Return the sweep without the parts of its recipe that do not count for the goal.

    For accuracy these are all but the training; for an int8 file, heat maps and test-time
    augmentation.

    Raises:
        ValueError: The recipe has no int8 file, nothing to train, or the space has a field of a
            part that does not count.
    """
    recipe = sweep.recipe
    if goal.int8:
        if recipe.quantize is None:
            raise ValueError(
                "--max-bytes and --max-ms are about the int8 file, and this recipe leaves the "
                "section quantize out."
            )
        left_out: dict[str, Any] = {"explain": None, "tta": "none"}
    else:
        if recipe.trained:
            raise ValueError(
                "This recipe trains nothing: search its int8 files with --max-bytes or --max-ms. "
                f"Received: trained={recipe.trained!r}"
            )
        names = {field.name for field in dataclasses.fields(Recipe)}
        left_out = dict.fromkeys(sorted(names - {*TRAINING_SECTIONS, SEED}))
        left_out |= {"own_stages": (), "tta": "none"}
    for key in sweep.space:
        section = key.partition(".")[0]
        if section in left_out and getattr(recipe, section, None) is not None:
            hint = "" if goal.int8 else ": pass --max-bytes or --max-ms to search int8 files"
            raise ValueError(f"{key} has no effect on what this search is for{hint}.")
    return Sweep(recipe=dataclasses.replace(recipe, **left_out), space=sweep.space)


def recipe_for(sweep: Sweep, values: Values) -> Recipe:
    """Return the recipe of a trial.

    Fields that have no effect beside the others, such as the momentum of Adam, are left out.

    Raises:
        ValueError: A key is unknown, or a value is of the wrong type or out of its range.
    """
    train = vars(sweep.recipe.train) | _of_training(values)
    assignments = [
        f"{key}={json.dumps(value)}" for key, value in values.items() if not _is_idle(key, train)
    ]
    return override(sweep.recipe, assignments)


def check_space(sweep: Sweep) -> None:
    """Refuse a space with a field or a value that the recipe does not take.

    Every field is tried at the ends of its range, or with each of its choices, alone and beside
    those of every other field.

    Raises:
        ValueError: The space is empty, a key is unknown, a value is of the wrong type or out of
            its range, or a field has no effect in any trial.
    """
    if not sweep.space:
        raise ValueError(
            "There is nothing to search: pass --seeds N to train the recipe from several seeds, or "
            "define `sweep = kcnn.sweep.Sweep(recipe=recipe, space={...})` in its file."
        )
    ends = {key: _ends(key, distribution) for key, distribution in sweep.space.items()}
    for key, values in ends.items():
        for value in values:
            with_value = first_values(sweep) | {key: value}
            train = vars(sweep.recipe.train) | _of_training(with_value)
            if _is_idle(key, train) and not _has_effect_somewhere(key, sweep, ends):
                override(sweep.recipe, [f"{key}={json.dumps(value)}"])  # which says why not
    for values in _pairs(ends):
        recipe_for(sweep, first_values(sweep) | values)


def first_values(sweep: Sweep) -> dict[str, Any]:
    """Return the lowest value, or the first choice, of every field."""
    return {key: _ends(key, each)[0] for key, each in sweep.space.items()}


def _ends(key: str, distribution: BaseDistribution) -> tuple[Any, ...]:
    match distribution:
        case CategoricalDistribution():
            strange = [
                each
                for each in distribution.choices
                if not (each is None or isinstance(each, str | int | float))
            ]
            if strange:
                raise ValueError(
                    f"{key}: the choices of a sweep are numbers, text, True, False or None. "
                    f"Received: {strange[0]!r}"
                )
            return distribution.choices
        case FloatDistribution() | IntDistribution():
            return tuple(dict.fromkeys((distribution.low, distribution.high)))
    raise ValueError(
        f"{key}: a field of a sweep has one of optuna.distributions, such as "
        f"FloatDistribution(1e-3, 1, log=True). Received: {distribution!r}"
    )


def _pairs(ends: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    if len(ends) == 1:
        ((key, values),) = ends.items()
        yield from ({key: value} for value in values)
    for one, other in combinations(ends, 2):
        for values in product(ends[one], ends[other]):
            yield dict(zip((one, other), values, strict=True))


def _of_training(values: Values) -> dict[str, Any]:
    return {
        key.removeprefix("train."): value
        for key, value in values.items()
        if key.startswith("train.")
    }


def _is_idle(key: str, train: Mapping[str, Any]) -> bool:
    section, _, field = key.partition(".")
    field = field.partition(".")[0]
    depends = section == "train" and (field in DEPENDENT or field in SWITCHES)
    return depends and not has_effect(field, train)


def _has_effect_somewhere(key: str, sweep: Sweep, ends: Mapping[str, tuple[Any, ...]]) -> bool:
    first = first_values(sweep)
    return any(
        not _is_idle(key, vars(sweep.recipe.train) | _of_training(first | values))
        for values in _pairs(ends)
    )
