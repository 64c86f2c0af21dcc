"""Find the source of images that a name stands for."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from kcnn.data.array_file import ArrayFile
from kcnn.data.catalogue import ARRAYS_PREFIX, CHARACTER_SETS, FOLDER_PREFIX
from kcnn.data.digits import Digits
from kcnn.data.folder import Folder
from kcnn.data.opened import Source
from kcnn.data.selected import Selected
from kcnn.data.tfds_source import Tfds


def has_own_size(name: str) -> bool:
    """Return whether the images of a source have a fixed size, which cannot be changed.

    >>> has_own_size("digits"), has_own_size("cifar10")
    (True, False)
    """
    return name == "digits" or name.startswith(ARRAYS_PREFIX)


def source(
    name: str,
    *,
    image_size: tuple[int, int] | None = None,
    skip_damaged: bool = False,
    groups: str | os.PathLike | None = None,
    classes: Sequence[str] | None = None,
    per_class: int | None = None,
) -> Source:
    """Return the source that a name stands for, with an image size, or a part of it.

    Args:
        name: As in `load`.
        image_size: (height, width) that every image is resized to; None keeps their own.
        skip_damaged: Whether images of a folder that cannot be read are left out.
        groups: Of a folder: a CSV file that names the group of each image, see `Folder`.
        classes: Only the images of these classes, numbered in this order; None for all.
        per_class: Only so many training images of each class; test images stay whole.

    Raises:
        ValueError: If a size is given for digits or arrays, which have a fixed one, something for
            folders is given for anything else, or `name` is no string.

    >>> source("folder:flowers", image_size=(64, 64))
    Folder(path='flowers', image_size=(64, 64), mirror=True, skip_damaged=False, groups=None)
    >>> len(source("digits", classes=("3", "8"), per_class=5).open().train)
    10
    """
    whole = _whole(name, image_size, skip_damaged, groups)
    if classes is None and per_class is None:
        return whole
    return Selected(whole, tuple(classes or ()), per_class)


def as_source(
    name: str | os.PathLike | Source, image_size: tuple[int, int] | None = None
) -> Source:
    """Return a source as it is, and that of a name; a path is that of an image folder.

    Raises:
        ValueError: If a size is given for a source, which has its own, or `source` refuses.
    """
    if isinstance(name, os.PathLike):
        name = f"{FOLDER_PREFIX}{os.fspath(name)}"
    if not isinstance(name, Source):
        return source(name, image_size=image_size)
    if image_size is not None:
        raise ValueError(
            "image_size goes with a name such as 'folder:PATH': give it to the source itself, as "
            f"in Folder(path, image_size={image_size!r}). Received: {name!r}."
        )
    return name


def _whole(
    name: str,
    image_size: tuple[int, int] | None,
    skip_damaged: bool,
    groups: str | os.PathLike | None,
) -> Source:
    if not isinstance(name, str):
        received = "an array" if hasattr(name, "shape") else repr(name)
        raise ValueError(
            "name must be a string or a source such as Folder; for arrays there is "
            f"kcnn.data.from_arrays. Received: {received}."
        )
    for option, given in {"skip_damaged": skip_damaged, "groups": groups}.items():
        if given and not name.startswith(FOLDER_PREFIX):
            raise ValueError(
                f"{option} is for image folders, {FOLDER_PREFIX}PATH: leave it out. "
                f"Received: {name!r}."
            )
    if name == "digits":
        if image_size is not None:
            raise ValueError(f"digits are 32 x 32: leave image_size out. Received: {image_size!r}.")
        return Digits()
    if name.startswith(FOLDER_PREFIX):
        path = name.removeprefix(FOLDER_PREFIX)
        return Folder(path, image_size, skip_damaged=skip_damaged, groups=groups)
    if name.startswith(ARRAYS_PREFIX):
        if image_size is not None:
            raise ValueError(f"Arrays have a size: leave image_size out. Received: {image_size!r}.")
        return ArrayFile(name.removeprefix(ARRAYS_PREFIX))
    if os.sep in name and Path(name).is_dir():
        raise ValueError(f"{name!r} is a folder: write {FOLDER_PREFIX + name!r} to read it.")
    _check_prefix(name)
    return Tfds(name, image_size, mirror=re.split("[/:]", name)[0] not in CHARACTER_SETS)


def _check_prefix(name: str) -> None:
    """Refuse "array:FILE.npz", "Folder:PATH" and the like, which tfds cannot explain."""
    prefix, colon, path = name.partition(":")
    known = [ARRAYS_PREFIX.rstrip(":"), FOLDER_PREFIX.rstrip(":")]
    if colon and (close := get_close_matches(prefix.lower(), known, cutoff=0.8)):
        raise ValueError(f"Unknown data set {name!r}. Did you mean '{close[0]}:{path}'?")
