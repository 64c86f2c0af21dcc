"""Write the pages of all commands and of all settings of a recipe, from their help and docstrings.

    python docs/update_reference.py

A test checks that `docs/commands.md` and `docs/settings.md` are what this script writes.
"""

import dataclasses
import inspect
import json
import re
import typing
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click

from kcnn import recipe
from kcnn.cli.commands import app

DOCS = Path(__file__).resolve().parent
_SECTIONS = (
    ("data", recipe.Data),
    ("model", recipe.Model),
    ("train", recipe.Train),
    ("train.muon", recipe.Muon),
    ("transfer", recipe.Transfer),
    ("distill", recipe.Distill),
    ("prune", recipe.Prune),
    ("slim", recipe.Slim),
    ("cluster", recipe.Cluster),
    ("quantize_aware", recipe.QuantizeAware),
    ("quantize", recipe.Quantize),
    ("explain", recipe.Explain),
    ("own_stages", recipe.OwnStage),
)


def commands() -> str:
    """Return the page of all commands, as typer writes it."""
    command = typer.main.get_command(app)
    page = get_docs_for_click(
        obj=command, ctx=typer.Context(command), name="kcnn", title="Commands"
    )
    shortened = re.compile(r"\*\*Commands\*\*:\n\n(\*.*\n)+\n")  # the lines end in "..."
    return f"{shortened.sub('', page).strip()}\n"


def settings() -> str:
    """Return the page of all settings."""
    whole = _table("", recipe.Recipe)
    parts = [_section(name, kind) for name, kind in _SECTIONS]
    return "\n".join([_INTRODUCTION, whole, *parts])


_INTRODUCTION = """# Settings of a recipe

On the command line, `--set KEY=VALUE` changes one of them, such as `--set train.epochs=5`. A list
is written as JSON: `--set 'data.augment=["strong", "cutout"]'`. `--set SECTION=none` leaves a
section out, and JSON brings it in: `--set 'slim={"macs": 0.4}'`. In a Python file they are the
arguments of the classes in [`kcnn.recipe`](api/recipe.md).

A setting without a default is off, or has the value that its line says. Some have an effect only
with certain values of others, and are refused without it.
"""


def _section(name: str, kind: type) -> str:
    summary = (inspect.getdoc(kind) or "").partition("\n\nAttributes:")[0]
    return f"## {name}\n\n{summary}\n\n{_table(f'{name}.', kind)}"


def _table(prefix: str, kind: type) -> str:
    meanings = _meanings(kind)
    lines = ["| key | default | what it is |", "| --- | --- | --- |"]
    for name, field in _fields(kind).items():
        choices = _choices(typing.get_type_hints(kind)[name])
        meaning = meanings[name] + (f" One of {choices}." if choices else "")
        lines.append(f"| `{prefix}{name}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _meanings(kind: type) -> dict[str, str]:
    """Return what a docstring says of each attribute."""
    listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    items = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()).replace("|", r"\|") for name, text in items}


def _choices(hint: Any) -> str:
    """Return the values of a field that is one of a few names."""
    kinds = [hint, *typing.get_args(hint)]
    names = [typing.get_args(kind) for kind in kinds if typing.get_origin(kind) is typing.Literal]
    return ", ".join(f"`{name}`" for name in names[0]) if names else ""


def _fields(kind: Any) -> dict[str, FieldInfo]:
    return kind.__pydantic_fields__


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = field.get_default(call_default_factory=True)
    if dataclasses.is_dataclass(default):
        return "see below"
    return "" if default is None else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    (DOCS / "commands.md").write_text(commands(), encoding="utf-8")
    (DOCS / "settings.md").write_text(settings(), encoding="utf-8")
