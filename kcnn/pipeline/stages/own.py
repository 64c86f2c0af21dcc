"""Stages from outside kcnn, which a recipe names as "module:name"."""

import dataclasses
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kcnn.errors import invalid, unknown
from kcnn.own_code import resolve
from kcnn.pipeline.stages.stage import Stage
from kcnn.recipe import OwnStage


def own_stage(own: OwnStage) -> Stage[Any]:
    """Import a stage of the user's own.

    Raises:
        ValueError: There is no such stage, or its files could be mistaken for the user's.
    """
    stage = resolve(own.name, "stage")
    if not isinstance(stage, Stage):
        raise ValueError(
            f"Own stage {own.name!r} must be a kcnn.pipeline.Stage. Received: "
            f"{type(stage).__name__}"
        )
    for pattern in stage.files:
        if not re.fullmatch(r"model_[a-z0-9][\w*-]*\.\w+", pattern):  # see Stage.files
            raise ValueError(
                f"Own stage {own.name!r}: the names of its files must begin with model_ and a "
                f"word of its own, like model_sparse.keras. Received: files={stage.files!r}"
            )
    return stage


def own_section(own: OwnStage, stage: Stage[Any]) -> Any:
    """Return the section that a recipe's options stand for.

    Raises:
        ValueError: An option is unknown or of the wrong type; the message names the stage.
    """
    fields = {field.name for field in dataclasses.fields(stage.section)}
    for option in own.options:
        if option not in fields:
            raise unknown(f"option of {own.name}", option, fields)
    try:
        return TypeAdapter(stage.section).validate_python(dict(own.options))
    except ValidationError as error:
        raise ValueError(f"{own.name}: {invalid(error, 'options')}") from None


def with_section(own: OwnStage, section: Any) -> OwnStage:
    """Return the recipe's entry with other options."""
    options = TypeAdapter(type(section)).dump_python(section, mode="json")
    return dataclasses.replace(own, options=options)
