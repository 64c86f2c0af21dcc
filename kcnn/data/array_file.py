"""A data set in one `.npz` file of plain arrays.

One file can be replaced by a single rename and copied to another machine. The `.npz` is not
compressed: it is then read as fast as it is copied, and its checksums still reveal damage.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
from numpy.lib.format import read_array

from kcnn.data.checks import check_labels, number_classes
from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Opened
from kcnn.errors import listed, one_line
from kcnn.run_dir import atomic

if TYPE_CHECKING:
    from kcnn.data.opened import Part

_PARTS = ("train", "validation", "test")
_ARRAYS = (*(f"{part}_{kind}" for part in _PARTS for kind in ("images", "labels")),)
_ARRAYS += ("class_names", "note")

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class ArrayFile:
    """Your own arrays: a file that `np.savez` wrote.

    It holds `train_images` uint8 [N, H, W, 1 or 3] and `train_labels` [N], and may hold
    `validation_images`, `validation_labels`, `test_images`, `test_labels` and `class_names` (one
    string a label). Reading it needs no TensorFlow.

    Attributes:
        path: The file.
        mirror: Whether a mirror image still belongs to its class. False for digits and text.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "dots.npz")
    >>> images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    >>> np.savez(path, train_images=images, train_labels=labels)
    >>> ArrayFile(path).open().class_names
    ('0', '1')
    """

    path: str | os.PathLike
    mirror: bool = True

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Read the file; `data_dir` is ignored.

        Raises:
            ValueError: If the file does not exist or does not hold such arrays.
        """
        path = self._file()
        opened, _ = read(path)
        _warn_of_others(path)
        return opened.with_parts(_named)

    def open_held_out(self) -> tuple[LabelledImages | None, tuple[str, ...]]:
        """Return all images to score a model on, and their class names.

        Returns:
            The test images; None for a file with training images and none for tests.

        Raises:
            ValueError: As `open`, but that there need be no training images.
        """
        path = self._file()
        parts, names, _ = _read(path)
        if "test" in parts:
            _warn_of_others(path)
        return parts.get("test"), names

    def _file(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ValueError(f"There is no file of arrays {str(path)!r}.")
        return path


def write(path: Path, opened: Opened, note: str) -> None:
    """Write decoded examples and a note, which `read` returns."""
    parts = {"train": opened.train, "validation": opened.validation, "test": opened.test}
    arrays = {
        f"{name}_{kind}": getattr(part, kind)
        for name, part in parts.items()
        if part is not None
        for kind in ("images", "labels")
    }
    with atomic(path) as temporary:
        np.savez(temporary, **arrays, class_names=np.array(opened.class_names), note=np.array(note))


def read(path: Path) -> tuple[Opened, str]:
    """Return the content of a file, and its note ("" if it has none).

    Raises:
        ValueError: If the file is damaged or does not hold such arrays.
    """
    parts, names, note = _read(path)
    if "train" not in parts:
        others = listed(map(repr, _others(path)))
        has = f" It has: {others}." if others else ""
        raise ValueError(f"{str(path)!r} has no train_images and train_labels.{has}")
    return Opened(parts["train"], parts.get("test"), names, parts.get("validation")), note


def _read(path: Path) -> tuple[dict[str, LabelledImages], tuple[str, ...], str]:
    """Return the parts that a file has, the class names and the note."""
    try:  # NumPy raises many kinds of errors of a damaged file, such as tokenize.TokenError
        # Opened here, because NumPy would leave a file open that is no archive.
        arrays = _arrays(path)
        note = str(arrays.get("note", ""))
        names = tuple(map(str, arrays.get("class_names", ())))
        # Where no names say how many classes there are, each has an image at least.
        most = len(names) or max(len(arrays.get(f"{name}_labels", ())) for name in _PARTS)
        found = {name: _part(arrays, name, most) for name in _PARTS}
        parts = {name: part for name, part in found.items() if part}
        names = names or number_classes({name: part.labels for name, part in parts.items()})
    except Exception as error:
        raise ValueError(f"{str(path)!r} is no file of arrays: {one_line(error)}") from error
    shapes = {name: part.image_shape for name, part in parts.items()}
    if len(set(shapes.values())) > 1:
        each = ", ".join(f"{name} images of {shape}" for name, shape in shapes.items())
        raise ValueError(f"{str(path)!r} has {each}: they must be alike.")
    return parts, names, note


def _others(path: Path) -> list[str]:
    """Return the names of the arrays in a file that are not those of a data set."""
    with ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    return [name for name in names if name not in _ARRAYS]


def _warn_of_others(path: Path) -> None:
    others = _others(path)
    if others:
        logger.warning(
            "%r has arrays that are not read: %s. Those that are read are called %s.",
            str(path),
            listed(map(repr, others)),
            ", ".join(_ARRAYS[:-1]),
        )


def _named(part: "Part") -> "Part":
    names = tuple(f"image {place}" for place in range(len(part)))
    return replace(part, names=names) if isinstance(part, LabelledImages) else part


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a data set in an `.npz` file, each with its checksum compared."""
    arrays = {}
    with path.open("rb") as file, ZipFile(file) as archive:
        _check_memory(sum(entry.file_size for entry in archive.infolist()))
        for entry in archive.infolist():
            # Opened even if it is not read: this finds a name that has changed.
            with archive.open(entry) as member:
                name = entry.filename.removesuffix(".npy")
                if name not in _ARRAYS:
                    continue
                arrays[name] = _array(member, name)
                if member.read(1):  # a checksum is compared at the end, which NumPy may not reach
                    raise ValueError(f"{name} is longer than its array")
    return arrays


def _array(member: IO[bytes], name: str) -> np.ndarray:
    try:
        return read_array(member, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        advice = "save it as integers, or as text by .astype(str)"
        raise ValueError(f"{name} is an array of Python objects: {advice}") from None


def _check_memory(needed: int) -> None:
    """Refuse arrays that are larger than this machine's memory, such as zeros that were packed."""
    if not hasattr(os, "sysconf"):  # as on Windows
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ValueError(
            f"its arrays take {needed / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB "
            "of memory"
        )


def _part(file: Mapping[str, np.ndarray], name: str, num_classes: int) -> LabelledImages | None:
    keys = f"{name}_images", f"{name}_labels"
    missing = [key for key in keys if key not in file]
    if len(missing) == 1:
        raise ValueError(f"{missing[0]} is missing: {keys[0]} and {keys[1]} belong together")
    if missing:
        return None
    images, labels = (file[key] for key in keys)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"{name}_images must be uint8 [N, H, W, 1 or 3], is {images.dtype} {images.shape}"
        )
    labels = check_labels(f"{name}_labels", labels, len(images), num_classes)
    return LabelledImages(images, labels)
