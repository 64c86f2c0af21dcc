"""How large a `.keras` file may be once it is unpacked.

The file is a zip archive. Keras unpacks it into memory, and reads `config.json` into Python's
objects, which take many times the memory of the text.
"""

import zipfile
from pathlib import Path

from kcnn.errors import one_line

# Keras writes a handful of members, and a network of a thousand layers needs a megabyte of text.
# Its objects take up to two thousand times as much memory as the text.
_MOST_MEMBERS = 256
_LARGEST_TEXT = 2**21
# Keras does not compress. Zeros, compressed by others, shrink to a thousandth.
_LARGEST_EXPANSION, _EXPANSION_FROM = 100, 2**24


def check_archive(path: Path) -> None:
    """Check what a `.keras` file says about its members, before anything is unpacked.

    Raises:
        ValueError: it is no zip archive, or it has too many members, too large ones, or ones that
            unpack to far more bytes than they take in the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # a damaged list of members raises nearly anything
        raise ValueError(
            f"{str(path)!r} is not a .keras model (damaged, or another format): {one_line(error)}"
        ) from error
    if len(members) > _MOST_MEMBERS:
        raise _beyond(path, "it", f"{len(members):,} files", f"{_MOST_MEMBERS:,}")
    for member in members:
        size, name = member.file_size, f"{member.filename[:60]!r} in it"
        if member.filename.endswith(".json") and size > _LARGEST_TEXT:
            raise _beyond(path, name, f"{size:,} bytes", f"{_LARGEST_TEXT:,}")
        allowed = max(_EXPANSION_FROM, _LARGEST_EXPANSION * member.compress_size)
        if size > allowed:
            packed = f"{size:,} bytes, packed in {member.compress_size:,}"
            raise _beyond(path, name, packed, f"{allowed:,}")


def _beyond(path: Path, what: str, has: str, limit: str) -> ValueError:
    return ValueError(f"{str(path)!r} is refused: {what} has {has}; the limit is {limit}.")
