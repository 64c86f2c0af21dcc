"""Which of the folders in an image folder are training, validation and test images, and classes."""

import logging
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kcnn.data.classes import composed
from kcnn.data.images import SUFFIXES
from kcnn.errors import listed

logger = logging.getLogger("kcnn")

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Layout:
    """The parts of an image folder; None for those that it does not have.

    Attributes:
        root: The folder.
        train: The folder with the class folders of the training images.
        validation: That of the validation images.
        test: That of the test images.
        others: All other folders in `root`.
    """

    root: Path
    train: Path | None
    validation: Path | None
    test: Path | None
    others: tuple[Path, ...]


def find_layout(root: Path) -> Layout:
    """Return the parts of an image folder by their names, in any capitals.

    Raises:
        ValueError: If there is no such folder, or two of its folders are the same part.
    """
    if not root.is_dir():
        raise ValueError(f"There is no image folder {str(root)!r}.")
    parts: dict[str, Path] = {}
    others, flat = [], []
    for folder in _folders(root):
        part = _PARTS.get(folder.name.casefold())
        if part is None:
            others.append(folder)
        elif not _folders(folder) and _has_images(folder):  # a class of vehicles, or no labels
            flat.append(folder)
        elif part in parts:
            raise ValueError(
                f"Image folder {str(root)!r} has two folders of {part} images, "
                f"{parts[part].name!r} and {folder.name!r}: join them, or move one away."
            )
        else:
            parts[part] = folder
    if flat and not (parts or others):
        raise ValueError(
            f"In image folder {str(root)!r}, {listed(each.name for each in flat)} hold images but "
            "no class folders: move each image into a folder with the name of its class."
        )
    train, validation, test = (parts.get(part) for part in ("train", "validation", "test"))
    return Layout(root, train, validation, test, (*others, *flat))


def hint_of_inner(folder: Path) -> str:
    """Return a sentence that names a data set inside a folder; none if there is none.

    Archives often hold a single folder, and the parts or the classes in it.
    """
    inner = _folders(folder)
    deeper = _folders(inner[0]) if len(inner) == 1 else []
    parts = any(each.name.casefold() in _PARTS for each in deeper)
    if not parts and sum(map(_has_images, deeper)) < 2:
        return ""
    return f" Did you mean {str(inner[0])!r}?"


def name_unused(folders: Iterable[Path], root: Path) -> None:
    """Log which folders of an image folder are not read."""
    names = [folder.name for folder in folders]
    if names:
        logger.warning("In %r, these folders are not read: %s.", str(root), listed(names))


def class_folders(folder: Path) -> dict[str, Path]:
    """Return the class folders in a folder by the names of the classes, in order.

    Names are compared in Unicode's composed form (NFC): macOS writes others than Linux.

    Raises:
        ValueError: If two names differ in their form only, or the folders seem to be the parts of a
            data set.
    """
    found: dict[str, Path] = {}
    for each in _folders(folder):
        name = composed(each.name)
        if name in found:
            raise ValueError(
                f"Class {name!r} has two folders in {str(folder)!r}, whose names look alike and "
                "differ in their Unicode form (NFC and NFD): join them."
            )
        found[name] = each
    _check_no_parts(found, folder)
    return dict(sorted(found.items()))


def image_files(folder: Path) -> tuple[list[str], Counter[str]]:
    """Return the image files in a folder and below it, sorted, and the suffixes of other files."""
    found, left_out = [], Counter[str]()
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # Operating systems leave hidden files such as ._photo.jpg that are no images.
        for name in (name for name in files if not name.startswith(".")):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in SUFFIXES:
                found.append(os.path.join(place, name))
            else:
                left_out[suffix] += 1
    return sorted(found), left_out


def _refuse(error: OSError) -> None:
    """Refuse a folder that cannot be read: its images would be missing unnoticed."""
    raise error


def outside(folder: Path) -> Counter[str]:
    """Return the kinds of the files that lie beside the class folders, in none of them."""
    files = (file for file in folder.iterdir() if file.is_file() and file.name[0] != ".")
    suffixes = Counter(file.suffix.lower() for file in files)
    return Counter(
        {
            f"{suffix} in no class folder" if suffix in SUFFIXES else suffix: count
            for suffix, count in suffixes.items()
        }
    )


def name_left_out(left_out: Counter[str], folder: Path) -> None:
    """Log how many files in a folder are not read, and why."""
    if not left_out:
        return
    kinds = [f"{count} {suffix or 'without suffix'}" for suffix, count in left_out.most_common()]
    logger.warning(
        "%d files in %r are left out: %s. The image files that are read are %s.",
        left_out.total(),
        str(folder),
        listed(kinds),
        " ".join(SUFFIXES),
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _check_no_parts(classes: dict[str, Path], folder: Path) -> None:
    """Refuse folders that seem to be parts of a data set, or warn that they are read as classes."""
    inside = [{each.name for each in _folders(path)} for path in classes.values()]
    common = set[str]().union(*inside).intersection(*inside) if inside else set[str]()
    if len(classes) < 2 or len(common) < 2 or any(map(_has_images, classes.values())):
        return
    seen = (
        f"The folders in {str(folder)!r} ({listed(classes)}) hold no images but the same folders "
        f"({listed(sorted(common))})"
    )
    if any("train" in name.casefold() for name in classes):
        raise ValueError(
            f"{seen}, as the parts of a data set do. Name the parts train, val and test."
        )
    logger.warning("%s. Those in %r are read as the classes.", seen, str(folder))


def _has_images(folder: Path) -> bool:
    return any(file.suffix.lower() in SUFFIXES for file in folder.iterdir() if file.is_file())
