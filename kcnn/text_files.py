"""Pages and documents as files."""

import os

from kcnn.run_dir import atomic


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a page or document in UTF-8, whole or not at all.

    A name of a file that is no text, as folders of old disks have, has "?" in it.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
