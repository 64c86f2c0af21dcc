"""Pages and documents as files."""

import os

from kcnn.run_dir import atomic


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a page or document in UTF-8, whole or not at all.

    A character that UTF-8 cannot encode, as in names of files that are no valid text, becomes "?".
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
