"""A study: the trials of one sweep in one storage, of any number of processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution, distribution_to_json
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage

from kcnn.errors import one_line
from kcnn.pipeline.unfinished import flat
from kcnn.recipe import to_values
from kcnn.sweep import Sweep
from kcnn.tune.goal import Goal
from kcnn.tune.space import SEED

SEEDS = IntDistribution(0, 2**31 - 1)
"""The distribution of a study over seeds, which are then 0, 1, 2 and so on."""

_IDENTITY = "sweep"
_FIRST_TRIALS = 5  # that are not pruned: the median of fewer says little


def open_study(sweep: Sweep, goal: Goal, name: str, storage: BaseStorage) -> optuna.Study:
    """Return the study of a sweep, made or continued.

    Args:
        sweep: What is searched.
        goal: What for.
        name: The study's name in its storage.
        storage: Where its trials are.

    Raises:
        ValueError: The storage has another study of this name.
    """
    warmup = max(1, sweep.recipe.train.epochs // 5)
    try:
        with quiet():
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                directions=list(goal.directions),
                pruner=NopPruner() if goal.int8 else MedianPruner(_FIRST_TRIALS, warmup),
                load_if_exists=True,
            )
            kept = study.user_attrs.get(_IDENTITY)
            if kept is None:
                study.set_user_attr(_IDENTITY, _identity(sweep, goal))
    except Exception as error:
        raise ValueError(f"The study {name!r} cannot be opened: {one_line(error)}") from error
    if kept is not None:
        _check_same(kept, _identity(sweep, goal), name)
    return study


def sampler_for(seed: int, trials: int, salt: int = 0) -> TPESampler:
    """Return the sampler of a study's next trial.

    A new one for each trial, so that a study which was stopped draws what it would have drawn.

    Args:
        seed: That of the recipe.
        trials: How many trials the study has, each counted once however often it was begun.
        salt: Tells workers on several machines apart.
    """
    return TPESampler(seed=(seed * 1_000_003 + trials * 7919 + salt) % 2**32)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from logging each trial in its own words while inside."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def is_over_seeds(space: dict[str, BaseDistribution]) -> bool:
    """Return whether the trials of a study differ in their seed alone."""
    return space == {SEED: SEEDS}


def _identity(sweep: Sweep, goal: Goal) -> dict[str, Any]:
    """Return what a study is, as JSON."""
    return {
        "recipe": to_values(sweep.recipe),
        "space": {key: distribution_to_json(each) for key, each in sweep.space.items()},
        "limits": {"max_bytes": goal.max_bytes, "max_ms": goal.max_ms},
    }


def _check_same(kept: Any, wanted: dict[str, Any], name: str) -> None:
    there, here = flat(kept if isinstance(kept, dict) else {}), flat(wanted)
    for key in there | here:
        if there.get(key) != here.get(key):
            field = key.removeprefix("recipe.").replace("space.", "the space of ")
            raise ValueError(
                f"The study {name!r} was begun with another sweep: {field} was "
                f"{there.get(key)!r:.100}. Name another folder, and so another study, with --out. "
                f"Received: {here.get(key)!r:.100}"
            )
