"""Groups of images that must stay together, such as those of one patient, from a CSV file."""

import csv
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from kcnn.data.classes import composed
from kcnn.errors import listed

logger = logging.getLogger("kcnn")

_COLUMNS = ("file", "group")


def group_numbers(
    path: str | os.PathLike, root: Path, parts: Mapping[str, Sequence[str]]
) -> np.ndarray:
    r"""Return a number for the group of each training image, and warn of groups in two parts.

    Args:
        path: A CSV file whose first line names the columns, `file` and `group` among them. A file
            is a path inside `root`, as in `train/cat/1.jpg`, or a name that only one image has.
        root: The folder of the images.
        parts: Paths of the images of "train" and, where they are parts of their own, of
            "validation" and "test".

    Raises:
        ValueError: If the file is no such CSV, a training image has no group, or an image has two.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> _ = (root / "groups.csv").write_text("file,group\ncat/1.png,anna\n2.png,ben\n")
    >>> group_numbers(root / "groups.csv", root, {"train": [f"{root}/cat/1.png", f"{root}/2.png"]})
    array([0, 1])
    """
    path = Path(path).expanduser()
    images = {name: [_inside(root, file) for file in files] for name, files in parts.items()}
    groups = _by_image(path, _rows(path), [file for files in images.values() for file in files])
    missing = [file for file in images["train"] if file not in groups]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(images['train'])} training images have no group in "
            f"{str(path)!r}: {listed(map(repr, missing))}. Add a line for each."
        )
    _warn_of_shared(path, {name: [groups.get(f) for f in files] for name, files in images.items()})
    return np.unique([groups[file] for file in images["train"]], return_inverse=True)[1]


def _inside(root: Path, file: str) -> str:
    return composed(PurePath(os.path.relpath(file, root)).as_posix())


def _rows(path: Path) -> list[tuple[str, str]]:
    """Return the files and groups of a CSV file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = tuple(name.strip().lower() for name in reader.fieldnames or ())
            reader.fieldnames = columns
            rows = list(reader)
    except FileNotFoundError:
        raise ValueError(f"There is no file of groups {str(path)!r}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{str(path)!r} is no CSV file in UTF-8: {error}.") from error
    if not set(_COLUMNS) <= set(columns):
        raise ValueError(
            f"{str(path)!r} must be a CSV file with commas, whose first line names the columns "
            f"file and group. Received: {', '.join(columns)[:80]!r}"
        )
    for number, row in enumerate(rows, 2):
        if not (row["file"] or "").strip() or not (row["group"] or "").strip():
            raise ValueError(f"Line {number} of {str(path)!r} has no file or no group: add it.")
    return [(composed(PurePath(row["file"]).as_posix()), row["group"].strip()) for row in rows]


def _by_image(path: Path, rows: Iterable[tuple[str, str]], images: Sequence[str]) -> dict[str, str]:
    """Return the group of each image that has one, by the image's path inside the folder."""
    known = set(images)
    counts = Counter(PurePath(image).name for image in images)
    named = {PurePath(image).name: image for image in images}
    groups: dict[str, str] = {}
    strange = []
    for file, group in rows:
        if file not in known and counts[file] > 1:
            raise ValueError(
                f"{counts[file]} images are called {file!r}: in {str(path)!r}, write their paths "
                "inside the image folder."
            )
        image = file if file in known else named.get(file)
        if image is None:
            strange.append(repr(file))
        elif groups.setdefault(image, group) != group:
            raise ValueError(
                f"{file!r} has two groups in {str(path)!r}: {groups[image]!r} and {group!r}."
            )
    if strange:
        logger.warning(
            "%d files in %r are not among the images: %s.",
            len(strange),
            str(path),
            listed(strange),
        )
    return groups


def _warn_of_shared(path: Path, groups: Mapping[str, Sequence[str | None]]) -> None:
    train = set(groups["train"])
    for part, found in groups.items():
        both = sorted(each for each in set(found) & train if each is not None)
        if part != "train" and both:
            logger.warning(
                "%d groups of %r have training images and %s images, which makes the score too "
                "good: %s.",
                len(both),
                str(path),
                part,
                listed(map(repr, both)),
            )
