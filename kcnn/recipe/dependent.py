"""The fields of a training that only some schedules or optimizers use, in one table.

Such a field is None unless it is given. Given without effect, it is refused, whatever its value;
with effect and not given, it has the value in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kcnn.recipe.muon import Muon


@dataclass(frozen=True)
class Dependent:
    """A field that another one gives an effect.

    Attributes:
        decider: The other field.
        values: Its values with which the first one has an effect, and the value that the first one
            has with them if it is not given.
    """

    decider: str
    values: Mapping[str, Any]


# With "plateau" it is the best epoch after which nothing has improved.
_FIXED_SCHEDULES = ("constant", "step", "multi_step", "cosine", "linear", "one_cycle", "triangle")


def _of_schedules(**values: Any) -> Dependent:
    return Dependent("schedule", values)


def _of_optimizers(**values: Any) -> Dependent:
    return Dependent("optimizer", values)


DEPENDENT = {
    "warmup_epochs": _of_schedules(cosine=0.0),
    "step_epochs": _of_schedules(step=30.0),
    "milestones": _of_schedules(multi_step=()),
    "factor": _of_schedules(step=0.1, multi_step=0.1, plateau=0.2),
    "patience": _of_schedules(plateau=10),
    "plateau_patience": _of_schedules(plateau=None),  # which follows from `patience`
    "cooldown": _of_schedules(plateau=0),
    "min_lr": _of_schedules(plateau=0.0),
    "keep": _of_schedules(**dict.fromkeys(_FIXED_SCHEDULES, "best")),
    "momentum": _of_optimizers(sgd=0.9, muon=0.9, rmsprop=0.0),
    "nesterov": _of_optimizers(sgd=True, muon=True),
    "norm_bias_rate": _of_optimizers(sgd=1.0, muon=1.0),
    "muon": _of_optimizers(muon=Muon()),
    "decay": _of_optimizers(sgd="decoupled", adam="decoupled", rmsprop="decoupled"),
}
"""Fields that have an effect with some values of another field, by their names."""

SWITCHES = ("lookahead", "decay_everything")
"""Fields that have an effect with some values of others, and that are False if not given."""

# What earlier versions wrote of such a field into every recipe.json, whether it had an effect or
# not. Of the other fields they wrote null.
_WRITTEN: dict[str, Any] = {
    "warmup_epochs": 0.0,
    "step_epochs": 30.0,
    "milestones": [],
    "factor": 0.1,
    "patience": 10,
    "norm_bias_rate": 1.0,
    "muon": {"rate": 1.0, "momentum": 0.6, "iterations": 5, "normalize": False},
    "decay": "decoupled",
}


def has_effect(field: str, train: Mapping[str, Any]) -> bool:
    """Return whether a field of these tables has an effect beside the values of the others."""
    return not needs(field, train)


def needs(field: str, train: Mapping[str, Any]) -> str:
    """Return what a field lacks to have an effect, as the end of a sentence; "" if nothing.

    >>> needs("momentum", {"optimizer": "adam"})
    "with optimizer='adam', only with 'sgd' or 'muon' or 'rmsprop'"
    """
    if field == "lookahead":  # an early stop would miss its last step
        return "with schedule='plateau'" if train.get("schedule") == "plateau" else ""
    if field == "keep" and train.get("lookahead"):
        return "with lookahead, which keeps the last epoch"
    if field in DEPENDENT:
        dependent = DEPENDENT[field]
        decider, value = dependent.decider, train.get(dependent.decider)
        if not isinstance(value, str) or value not in dependent.values:
            return f"with {decider}={value!r}, only with {' or '.join(map(repr, dependent.values))}"
    # With a coupled decay, also of 0, SGD's momentum is that of PyTorch.
    decays = train.get("weight_decay") or (field == "decay" and train.get("optimizer") == "sgd")
    return "without weight_decay" if field in ("decay", "decay_everything") and not decays else ""


def drop_written(train: Mapping[str, Any], *, unused: bool = False) -> dict[str, Any]:
    """Return the JSON of a training without what earlier versions wrote and did not use.

    A value that no version wrote by itself stays, and is refused.

    Args:
        train: The JSON.
        unused: Whether no field of it was used, as where nothing is trained.
    """
    kept = dict(train)
    if "schedule" not in kept or "optimizer" not in kept:  # no version wrote it
        return kept
    # "plateau" did not use the factor when the fields of "step" were written beside it.
    if kept["schedule"] == "plateau" and "step_epochs" in kept and kept.get("factor") == 0.1:
        del kept["factor"]
    for field in DEPENDENT:
        if field in kept and (unused or not has_effect(field, kept)):
            if kept[field] is None or kept[field] == _WRITTEN.get(field):
                del kept[field]
    return kept
