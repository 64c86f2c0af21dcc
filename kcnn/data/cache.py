"""A cache of decoded sets of TensorFlow Datasets: each set is decoded once.

It lies in `~/.cache/kcnn/data`, or in the folder that `KCNN_DATA_CACHE` names, one file a set.
Where TensorFlow is not installed, only the sets in the cache can be used.
"""

import json
import logging
import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kcnn.cache_folder import cache_folder
from kcnn.data import array_file
from kcnn.data.opened import Opened
from kcnn.errors import one_line

logger = logging.getLogger("kcnn")


def can_decode() -> bool:
    """Return whether TensorFlow and TensorFlow Datasets, which decode a set, are installed."""
    return all(find_spec(name) for name in ("tensorflow", "tensorflow_datasets"))


@dataclass(frozen=True)
class SetCache:
    """The cached arrays of one set, which are used while its prepared files are the same, or away.

    Attributes:
        name: As tfds writes it, with its configuration and version if they were given.
        image_size: (height, width) that every image was resized to, or None.
        data_dir: Where tfds looks for prepared sets; None for its own default.
    """

    name: str
    image_size: tuple[int, int] | None
    data_dir: str | os.PathLike | None

    @property
    def path(self) -> Path:
        """The file, which may not exist yet."""
        size = "-{}x{}".format(*self.image_size) if self.image_size else ""
        plain = re.sub(r"[^\w.=+-]", "--", self.name)  # a configuration may have any name
        return cache_folder("data", "KCNN_DATA_CACHE") / f"{plain}{size}.npz"

    def read(self) -> Opened | None:
        """Return the cached arrays, or None if they are missing, damaged or out of date."""
        if not self.path.is_file():
            return None
        try:
            opened, note = array_file.read(self.path)
        except ValueError as error:
            logger.warning("The cached arrays are damaged and not used: %s", one_line(error))
            return None
        if self._is_true(note):
            logger.info("%s: arrays read from %s", self.name, self.path)
            return opened
        logger.info("%s: the prepared set has changed since %s was written", self.name, self.path)
        return None

    def write(self, opened: Opened, stamp: str) -> None:
        """Cache decoded examples; where that fails, log a warning and go on."""
        try:
            array_file.write(self.path, opened, stamp)
            logger.info("%s: decoded once, arrays cached in %s", self.name, self.path)
        except OSError as error:
            logger.warning("The decoded arrays cannot be cached: %s", one_line(error))

    def stamp(self, folder: Path) -> str:
        """Return what the content depends on: the request, and the prepared files in `folder`.

        Call it before decoding, so that files that change meanwhile no longer match the stamp.
        """
        versions = folder.parent.iterdir() if folder.is_dir() else ()
        return json.dumps(
            {
                "name": self.name,
                "image_size": self.image_size,
                "root": str(_root(self.data_dir)),
                "folder": str(folder),
                "files": _files(folder),
                # Another version of the set, or of tfds, changes what a name stands for.
                "versions": sorted(each.name for each in versions if each.is_dir()),
                "tfds": _tfds_version(),
            }
        )

    def _is_true(self, note: str) -> bool:
        try:
            kept = json.loads(note)
            folder = Path(kept["folder"])
            if kept["name"] != self.name or kept["image_size"] != _as_json(self.image_size):
                return False
        except (ValueError, TypeError, KeyError):
            return False  # a file that kcnn did not write
        if can_decode() and self._is_prepared(kept):
            return note == self.stamp(folder)
        if folder.is_dir() and kept["files"] != _files(folder):
            return False
        where = "is not prepared here" if can_decode() else "cannot be decoded here"
        logger.info("%s %s: the arrays that were cached are used", self.name, where)
        return True

    def _is_prepared(self, kept: dict[str, Any]) -> bool:
        """Return whether any version of the set is where tfds looks for it now."""
        folder, root = Path(kept["folder"]), Path(kept["root"])
        try:
            versions = _root(self.data_dir) / folder.relative_to(root).parent
        except ValueError:  # it was prepared elsewhere
            versions = folder.parent
        return versions.is_dir() and any(each.is_dir() for each in versions.iterdir())


def _as_json(image_size: tuple[int, int] | None) -> list[int] | None:
    return None if image_size is None else list(image_size)


def _root(data_dir: str | os.PathLike | None) -> Path:
    named = data_dir or os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    return Path(named).expanduser().absolute()


def _files(folder: Path) -> list[list]:
    """Return the name, size and modification time of each file, as JSON returns them."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]


def _tfds_version() -> str | None:
    try:
        return version("tensorflow-datasets")
    except PackageNotFoundError:
        return None
