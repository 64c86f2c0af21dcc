"""JSON files, written from a type and read back into it."""

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

from kcnn.errors import one_line
from kcnn.run_dir import atomic

Content = TypeVar("Content")
Share = Annotated[float, Field(ge=0, le=1)]


def formerly(name: str, old: str) -> Any:
    """Return the annotation of a field called `name`, which files of older versions call `old`."""
    return Field(validation_alias=AliasChoices(name, old))


def write(
    adapter: TypeAdapter[Content], content: Content, path: str | os.PathLike, *, indent: int = 2
) -> None:
    """Write a file, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(adapter.dump_json(content, indent=indent) + b"\n")


def read(adapter: TypeAdapter[Content], path: str | os.PathLike, kind: str) -> Content:
    """Return what a file holds.

    Args:
        adapter: of the type that was written.
        path: the file.
        kind: what the file is called in the message of an error.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    try:
        return adapter.validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"There is no {kind} {str(path)!r}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
        reason = one_line(ValueError(reason))
        raise ValueError(f"{str(path)!r} is no {kind} of this version: {reason}.") from error
