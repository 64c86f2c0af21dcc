"""What a source of images promises."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from kcnn.data.catalogue import ARRAYS_PREFIX, CHARACTER_SETS, FOLDER_PREFIX
from kcnn.data.labelled import ImageReader, LabelledImages

if TYPE_CHECKING:
    from kcnn.data.examples import Examples


@dataclass(frozen=True)
class Opened:
    """What a source holds: as TensorFlow reads it, as NumPy does, or decoded.

    Attributes:
        train: The training examples.
        test: The test examples; None where the source has none of its own.
        class_names: One name a label.
    """

    train: "Examples | ImageReader | LabelledImages"
    test: "Examples | ImageReader | LabelledImages | None"
    class_names: tuple[str, ...]

    @property
    def num_bytes(self) -> int:
        """Size of all images, decoded."""
        return self.train.num_bytes + (self.test.num_bytes if self.test is not None else 0)

    def decoded(self) -> Self:
        """Return the same with every image decoded, as `LabelledImages`."""
        test = self.test.decoded() if self.test is not None else None
        return type(self)(self.train.decoded(), test, self.class_names)


@runtime_checkable
class Source(Protocol):
    """What `kcnn.data.load` asks of a source; any object that has this can be one."""

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class. A mirrored 2 is no 2."""

    def open(self, data_dir: str | os.PathLike | None) -> Opened:
        """Find the images and read the labels, in the form that costs least.

        As `Examples`, or without TensorFlow as `LabelledImages` or an `ImageReader`.
        """


def check_image_size(image_size: tuple[int, int] | None) -> None:
    """Raise a ValueError unless `image_size` is None or two positive integers."""
    if image_size is None:
        return
    sizes = image_size if isinstance(image_size, tuple) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"image_size must be (height, width) in pixels. Received: {image_size!r}.")


def has_own_size(name: str) -> bool:
    """Return whether the images of a source have one size already, and take no other.

    >>> has_own_size("digits"), has_own_size("cifar10")
    (True, False)
    """
    return name == "digits" or name.startswith(ARRAYS_PREFIX)


def source(name: str, *, image_size: tuple[int, int] | None = None) -> Source:
    """Return the source that a name stands for, as `load` does, but with an image size.

    Args:
        name: As in `load`.
        image_size: (height, width) that every image is resized to; None keeps their own.

    Raises:
        ValueError: If a size is given for digits or arrays, which have one, or `name` is no string.

    >>> source("folder:flowers", image_size=(64, 64))
    Folder(path='flowers', image_size=(64, 64), mirror=True)
    """
    # Imported late, for they import this module.
    from kcnn.data.array_file import ArrayFile
    from kcnn.data.digits import Digits
    from kcnn.data.folder import Folder
    from kcnn.data.tfds_source import Tfds

    if not isinstance(name, str):
        raise ValueError(f"name must be a string or a source such as Folder. Received: {name!r}.")
    if name == "digits":
        if image_size is not None:
            raise ValueError(f"digits are 32 x 32: leave image_size out. Received: {image_size!r}.")
        return Digits()
    if name.startswith(FOLDER_PREFIX):
        return Folder(name.removeprefix(FOLDER_PREFIX), image_size)
    if name.startswith(ARRAYS_PREFIX):
        if image_size is not None:
            raise ValueError(f"Arrays have a size: leave image_size out. Received: {image_size!r}.")
        return ArrayFile(name.removeprefix(ARRAYS_PREFIX))
    if os.sep in name and Path(name).is_dir():
        raise ValueError(f"{name!r} is a folder: write {FOLDER_PREFIX + name!r} to read it.")
    return Tfds(name, image_size, mirror=re.split("[/:]", name)[0] not in CHARACTER_SETS)
