"""What is in a bundle's folder beside the files that its manifest knows."""

import os
from pathlib import Path

from kcnn.bundle.manifest import FILE, Manifest


def extra_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Name what lies in a bundle's folder without a digest in its manifest.

    Returns:
        Paths in the bundle, sorted: files that the manifest does not know, `NAME/` for a folder
        without any known file, links (also in the place of a known file), and what is neither a
        file nor a folder.
    """
    known = {FILE, *manifest.sha256}
    folders = {parent.as_posix() for name in known for parent in Path(name).parents}
    return tuple(sorted(_extra(folder, "", known, folders)))


def _extra(folder: Path, place: str, known: set[str], folders: set[str]) -> list[str]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = place + entry.name
            if entry.is_symlink():
                found.append(f"{name} (a link)")
            elif entry.is_dir() and name in folders:
                found += _extra(folder / entry.name, f"{name}/", known, folders)
            elif entry.is_dir():
                found.append(f"{name}/")
            elif not entry.is_file():
                found.append(f"{name} (no file)")
            elif name not in known:
                found.append(name)
    return found
