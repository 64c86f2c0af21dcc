"""A folder of images, with one subfolder for each class."""

import logging
import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.data.damaged import damage, name_damaged
from kcnn.data.folder_layout import (
    Layout,
    class_folders,
    find_layout,
    hint_of_inner,
    image_files,
    name_left_out,
    name_unused,
    outside,
)
from kcnn.data.groups import group_numbers
from kcnn.data.images import SUFFIXES, read_image, read_size
from kcnn.data.labelled import ImageReader, without
from kcnn.data.opened import Opened, check_image_size

logger = logging.getLogger("kcnn")

Size = tuple[int, int]


@dataclass(frozen=True)
class Folder:
    """Your own images: `path/train/CLASS/*.png` and, if there, the same in `val` and `test`.

    The parts may be called train, val, valid, validation and test, in any capitals. Without a
    `train` folder, the class folders lie directly in `path`. Image files of all usual kinds are
    read (`kcnn.data.images.SUFFIXES`), also in folders inside a class folder; what is left out is
    logged. Every image becomes RGB.

    Attributes:
        path: The folder.
        image_size: (height, width) that every image is scaled and cropped to, as `read_image`
            does. Needed if they differ in size; None keeps the size they all have.
        mirror: Whether a mirror image still belongs to its class. False for text and signs.
        skip_damaged: Whether images that cannot be read are left out. All are then decoded once
            before they are split.
        groups: A CSV file with the columns `file` (inside `path`) and `group`. Images of one group,
            such as the photographs of one plant, then stay together when validation and test
            images are split off.
    """

    path: str | os.PathLike
    image_size: Size | None = None
    mirror: bool = True
    skip_damaged: bool = False
    groups: str | os.PathLike | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not os.fspath(self.path):
            raise ValueError("An image folder needs a path: Folder(path) or 'folder:PATH'.")
        check_image_size(self.image_size)

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """List the files and read the header of each; `data_dir` is ignored.

        Raises:
            ValueError: If a folder is missing or empty, there is only one class, a file is no
                image, images differ in size and `image_size` is None, or one has no group.
        """
        layout = find_layout(Path(self.path).expanduser())
        train_dir = _train_folder(layout)
        classes = class_folders(train_dir)
        if len(classes) < 2:
            raise ValueError(
                f"Image folder {str(train_dir)!r} has {len(classes)} "
                f"{'class folder' if len(classes) == 1 else 'class folders'}; at least 2 are "
                "needed, each named after its class and holding its images."
                f"{hint_of_inner(train_dir)}"
            )
        if layout.train:
            name_unused(layout.others, layout.root)
        names, files = tuple(classes), {"train": _listed(train_dir, tuple(classes), every=True)}
        for part, folder in (("validation", layout.validation), ("test", layout.test)):
            if folder and (found := _listed(folder, names))[0]:
                files[part] = found
        readers = self._readers(list(files.values()))
        parts = dict(zip(files, readers, strict=True))
        groups = None
        if self.groups is not None:
            paths = {name: part.names for name, part in parts.items()}
            groups = group_numbers(self.groups, layout.root, paths)
        return Opened(parts["train"], parts.get("test"), names, parts.get("validation"), groups)

    def open_held_out(self) -> tuple[ImageReader | None, tuple[str, ...]]:
        """Return all images to score a model on, and their class names.

        These are the images in `test`, else those in `val` where there is no `train`, else those in
        class folders that lie directly in the folder.

        Returns:
            The images, None for a folder with training images and none for tests.

        Raises:
            ValueError: As `open`; one class is enough.
        """
        layout = find_layout(Path(self.path).expanduser())
        folder = layout.test or (layout.root if layout.train is None else None)
        if folder == layout.root and layout.validation:
            folder = layout.validation
        if folder is None:
            return None, ()
        if folder != layout.root:
            name_unused(layout.others, layout.root)
        names = tuple(class_folders(folder))
        (reader,) = self._readers([_listed(folder, names)])
        if not len(reader):
            raise ValueError(f"Image folder {str(folder)!r} has no class folders: add them.")
        return reader, names

    def _readers(self, parts: list[tuple[list[str], np.ndarray]]) -> list[ImageReader]:
        sizes = [[_size_of(path) for path in paths] for paths, _ in parts]
        size = self.image_size or next((s for part in sizes for s in part if s), (1, 1))
        readers = [self._reader(paths, labels, size) for paths, labels in parts]
        if self.image_size is None:
            for reader, part in zip(readers, sizes, strict=True):
                for path, received in zip(reader.names, part, strict=True):
                    _check_size(path, received or size, size)
        if self.skip_damaged or any(None in part for part in sizes):
            return self._undamaged(readers)
        return readers

    def _undamaged(self, readers: list[ImageReader]) -> list[ImageReader]:
        """Return the images that can be read, if all others are to be left out."""
        problems = [reader.problems() for reader in readers]
        texts = [text for part in problems for text in part.values()]
        if not self.skip_damaged:
            if len(texts) > 1:
                name_damaged(texts)
            raise damage(texts)
        if texts:
            name_damaged(texts)
            logger.warning("%d damaged images are left out.", len(texts))
        return [without(*each) for each in zip(readers, problems, strict=True)]

    def _reader(self, paths: list[str], labels: np.ndarray, size: Size) -> ImageReader:
        def read(indices: np.ndarray) -> np.ndarray:
            images = np.empty((len(indices), *size, 3), np.uint8)
            for image, index in zip(images, indices, strict=True):
                pixels = read_image(paths[index], self.image_size)
                _check_size(paths[index], pixels.shape[:2], size)
                image[...] = pixels
            return images

        return ImageReader(labels, (*size, 3), read, tuple(paths))


def _train_folder(layout: Layout) -> Path:
    if layout.train:
        return layout.train
    for part in (layout.test, layout.validation):
        if part:
            raise ValueError(
                f"Image folder {str(layout.root)!r} has {part.name}/ but no train/: add it. To "
                "score a model on such a folder, use kcnn evaluate MODEL --data folder:PATH "
                "(kcnn.data.load_held_out in Python)."
            )
    return layout.root


def _listed(
    folder: Path, class_names: Collection[str], *, every: bool = False
) -> tuple[list[str], np.ndarray]:
    """Return the image files of all classes and their labels, int32.

    Raises:
        ValueError: If there is a folder of another class or none of any, or, where `every` class
            must have images, one has none.
    """
    folders = class_folders(folder)
    if strange := sorted(set(folders) - set(class_names)):
        raise ValueError(
            f"Class {strange[0]!r} is in {str(folder)!r} but not among the training classes: "
            f"{', '.join(class_names)}."
        )
    paths, labels, left_out = [], [], Counter[str]()
    for label, name in enumerate(class_names):
        if name not in folders:
            continue
        found, others = image_files(folders[name])
        left_out += others
        paths += found
        labels += [label] * len(found)
        if not found and every:
            raise ValueError(
                f"Class folder {str(folders[name])!r} has no image ({', '.join(SUFFIXES)}): "
                "add some or remove it."
            )
    if not paths:
        raise ValueError(f"Image folder {str(folder)!r} has no class folders: add them.")
    name_left_out(left_out + outside(folder), folder)
    return paths, np.array(labels, np.int32)


def _size_of(path: str) -> Size | None:
    """Return (height, width) of an image file, None for one that cannot be read."""
    try:
        return read_size(path)
    except ValueError:
        return None


def _check_size(path: str, received: Size, expected: Size) -> None:
    if received != expected:
        raise ValueError(
            f"Images differ in size: {path!r} is {received[0]} x {received[1]} (height x width), "
            f"others are {expected[0]} x {expected[1]}. Give all one size: "
            f"image_size={expected} in kcnn.data.load, or to kcnn run "
            f"--set data.image_size='{list(expected)}'."
        )
