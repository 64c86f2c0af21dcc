"""A folder of images, with one subfolder for each class."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.data.images import SUFFIXES, read_image, read_size
from kcnn.data.labelled import ImageReader
from kcnn.data.opened import Opened, check_image_size


@dataclass(frozen=True)
class Folder:
    """Your own images: `path/train/CLASS/*.png` and, if there is one, `path/test/CLASS/*.png`.

    PNG, JPEG, WebP, GIF and BMP files are read; other files in a class folder are ignored. Without
    a `train` folder, the class folders lie directly in `path`. Every image becomes RGB.

    Attributes:
        path: The folder.
        image_size: (height, width) that every image is scaled and cropped to, as `read_image`
            does. Needed if they differ in size; None keeps the size they all have.
        mirror: Whether a mirror image still belongs to its class. False for text and signs.
    """

    path: str | os.PathLike
    image_size: tuple[int, int] | None = None
    mirror: bool = True

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not os.fspath(self.path):
            raise ValueError("An image folder needs a path: Folder(path) or 'folder:PATH'.")
        check_image_size(self.image_size)

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """List the files and read the header of each; `data_dir` is ignored.

        Raises:
            ValueError: If a folder is missing or empty, there is only one class, a file is no
                image, or images differ in size and `image_size` is None.
        """
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise ValueError(f"There is no image folder {str(root)!r}.")
        train_dir, test_dir = root / "train", root / "test"
        if not train_dir.is_dir():
            if test_dir.is_dir():
                raise ValueError(f"Image folder {str(root)!r} has test/ but no train/: add it.")
            train_dir = root
        class_names = _class_names(train_dir)
        if len(class_names) < 2:
            raise ValueError(
                f"Image folder {str(train_dir)!r} has {len(class_names)} class folders; at least 2 "
                "are needed, each named after its class and holding its images."
            )
        train = self._reader(train_dir, class_names)
        test = None
        if test_dir.is_dir():
            test = self._reader(test_dir, class_names, train.image_shape[:2])
        return Opened(train, test, class_names)

    def _reader(
        self, folder: Path, class_names: tuple[str, ...], size: tuple[int, int] | None = None
    ) -> ImageReader:
        paths, labels = _files(folder, class_names)
        sizes = [read_size(path) for path in paths]  # also finds files that are no images
        size = self.image_size or size or sizes[0]
        if self.image_size is None:
            for path, received in zip(paths, sizes, strict=True):
                _check_size(path, received, size)

        def read(indices: np.ndarray) -> np.ndarray:
            images = np.empty((len(indices), *size, 3), np.uint8)
            for image, index in zip(images, indices, strict=True):
                pixels = read_image(paths[index], self.image_size)
                _check_size(paths[index], pixels.shape[:2], size)
                image[...] = pixels
            return images

        return ImageReader(labels, (*size, 3), read)


def _class_names(folder: Path) -> tuple[str, ...]:
    return tuple(
        sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    )


def _files(folder: Path, class_names: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Return the image files of all classes and their labels, int32."""
    unknown = sorted(set(_class_names(folder)) - set(class_names))
    if unknown:
        raise ValueError(
            f"Class {unknown[0]!r} is in {str(folder)!r} but not among the training classes: "
            f"{', '.join(class_names)}."
        )
    paths, labels = [], []
    for label, name in enumerate(class_names):
        found = _images(folder / name)
        paths += found
        labels += [label] * len(found)
        if not found and (folder / name).is_dir():
            raise ValueError(
                f"Class folder {str(folder / name)!r} has no image ({', '.join(SUFFIXES)}): "
                "add some or remove it."
            )
    if not paths:
        raise ValueError(f"Image folder {str(folder)!r} has no class folders: add them.")
    return paths, np.array(labels, np.int32)


def _images(folder: Path) -> list[str]:
    files = folder.iterdir() if folder.is_dir() else []
    # Operating systems leave hidden files such as ._photo.jpg that are no images.
    visible = (file for file in files if not file.name.startswith("."))
    return sorted(str(file) for file in visible if file.suffix.lower() in SUFFIXES)


def _check_size(path: str, received: tuple[int, int], expected: tuple[int, int]) -> None:
    if received != expected:
        raise ValueError(
            f"Images differ in size: {path!r} is {received[0]} x {received[1]} (height x width), "
            f"others are {expected[0]} x {expected[1]}. Give all one size: "
            f"kcnn.data.load(kcnn.data.Folder(path, image_size={expected})), or to kcnn run "
            f"--set data.image_size='{list(expected)}'."
        )
