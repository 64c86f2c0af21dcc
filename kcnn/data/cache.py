"""The arrays of a set of TensorFlow Datasets, kept: decoding happens once.

They lie in `~/.cache/kcnn/data`, or in the folder that `KCNN_DATA_CACHE` names, one file a set.
Where TensorFlow is not installed, these files are all there is of a set.
"""

import json
import logging
import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from kcnn.cache_folder import cache_folder
from kcnn.data import array_file
from kcnn.data.opened import Opened
from kcnn.errors import one_line

logger = logging.getLogger("kcnn")


def can_decode() -> bool:
    """Return whether what decodes a set is installed."""
    return all(find_spec(name) for name in ("tensorflow", "tensorflow_datasets"))


@dataclass(frozen=True)
class SetCache:
    """Where one set is kept, and whether what is kept is still what would be decoded.

    Attributes:
        name: As tfds writes it, with its configuration and version if they were given.
        image_size: That every image was resized to, or None.
        data_dir: Where tfds was told to look; None for its own default.
    """

    name: str
    image_size: tuple[int, int] | None
    data_dir: str | os.PathLike | None

    @property
    def path(self) -> Path:
        """The file, which need not be there."""
        size = "-{}x{}".format(*self.image_size) if self.image_size else ""
        plain = re.sub(r"[^\w.=+-]", "--", self.name)  # a configuration may be named anything
        return cache_folder("data", "KCNN_DATA_CACHE") / f"{plain}{size}.npz"

    def read(self) -> Opened | None:
        """Return what is kept, or None if it is not there, damaged or no longer true."""
        if not self.path.is_file():
            return None
        try:
            opened, note = array_file.read(self.path)
        except ValueError as error:
            logger.warning("The kept arrays are damaged and not used: %s", one_line(error))
            return None
        if self._is_true(note):
            logger.info("%s: arrays read from %s", self.name, self.path)
            return opened
        logger.info(
            "%s: the prepared set is not as it was when %s was written", self.name, self.path
        )
        return None

    def write(self, opened: Opened, stamp: str) -> None:
        """Keep decoded examples; where that cannot be, say so and go on."""
        try:
            array_file.write(self.path, opened, stamp)
            logger.info("%s: decoded once, arrays kept in %s", self.name, self.path)
        except OSError as error:
            logger.warning("The decoded arrays cannot be kept: %s", one_line(error))

    def stamp(self, folder: Path) -> str:
        """Return what decides the content: the request, and the prepared files in `folder`.

        To be taken before anything is decoded: files that change meanwhile then do not fit it.
        """
        versions = folder.parent.iterdir() if folder.is_dir() else ()
        return json.dumps(
            {
                "name": self.name,
                "image_size": self.image_size,
                "root": str(_root(self.data_dir)),
                "folder": str(folder),
                "files": _files(folder),
                # A new version of the set beside the old one, or of tfds, changes what a name means
                "versions": sorted(each.name for each in versions if each.is_dir()),
                "tfds": _tfds_version(),
            }
        )

    def _is_true(self, note: str) -> bool:
        try:
            kept = json.loads(note)
            folder = Path(kept["folder"])
        except (ValueError, TypeError, KeyError):
            return False  # a file that someone else put there
        if can_decode():
            return note == self.stamp(folder)
        return not folder.is_dir() or kept["files"] == _files(folder)


def _root(data_dir: str | os.PathLike | None) -> Path:
    named = data_dir or os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    return Path(named).expanduser().absolute()


def _files(folder: Path) -> list[list]:
    """Return name, size and time of change of each file, as JSON gives them back."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]


def _tfds_version() -> str | None:
    try:
        return version("tensorflow-datasets")
    except PackageNotFoundError:
        return None
