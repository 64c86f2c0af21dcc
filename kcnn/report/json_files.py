"""JSON files, read back into the type that they were written from."""

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

from kcnn.errors import one_line

Content = TypeVar("Content")
Share = Annotated[float, Field(ge=0, le=1)]


def formerly(name: str, old: str) -> Any:
    """Return the annotation of a field called `name`, which files of older versions call `old`."""
    return Field(validation_alias=AliasChoices(name, old))


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
