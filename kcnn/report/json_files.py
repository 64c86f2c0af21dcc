"""Receipts are JSON, read back into the type that they were written from."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

Receipt = TypeVar("Receipt")


def read(adapter: TypeAdapter[Receipt], path: str | os.PathLike, kind: str) -> Receipt:
    """Return the receipt in a file; `kind` names it in the message of an error.

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
        raise ValueError(f"{str(path)!r} is no {kind} of this version: {reason}.") from error
