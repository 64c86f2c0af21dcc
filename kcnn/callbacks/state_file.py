"""The file of a training's state: its kind, the SHA-256 of its content, and the content."""

import hashlib
import os
from pathlib import Path

from kcnn.run_dir import atomic

_MAGIC = b"kcnn training state 1\n"
_DIGEST = 32  # bytes of SHA-256


def write_state(path: str | os.PathLike, body: bytes | memoryview) -> None:
    """Write the content of a state with its SHA-256 to one file, whole or not at all."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.write(_MAGIC + hashlib.sha256(body).digest())
        file.write(body)


def read_state(path: str | os.PathLike) -> bytes:
    """Return the content that `write_state` wrote.

    Raises:
        ValueError: there is no such file, or it is of another kind, damaged or cut off.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no training state {str(path)!r}.")
    content = Path(path).read_bytes()
    start = len(_MAGIC) + _DIGEST
    digest, body = content[len(_MAGIC) : start], content[start:]
    if not content.startswith(_MAGIC):
        raise ValueError(f"{str(path)!r} is no training state that this version of kcnn wrote.")
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(f"The training state {str(path)!r} is damaged: its digest differs.")
    return body
