"""What a source of images must offer, and what it returns."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np

from kcnn.data.labelled import ImageReader, LabelledImages

if TYPE_CHECKING:
    from kcnn.data.examples import Examples

    Part = Examples | ImageReader | LabelledImages


@dataclass(frozen=True)
class Opened:
    """The images and labels of a source.

    Attributes:
        train: The training examples.
        test: The test examples; None where the source has none of its own.
        class_names: One name a label.
        validation: The validation examples; None where they are to be cut from `train`.
        groups: A number for the group of each training image, [N]; images of one group stay in one
            part. None where each image is on its own.
    """

    train: "Part"
    test: "Part | None"
    class_names: tuple[str, ...]
    validation: "Part | None" = None
    groups: np.ndarray | None = None

    @property
    def num_bytes(self) -> int:
        """Size of all images, decoded."""
        parts = (self.train, self.test, self.validation)
        return sum(part.num_bytes for part in parts if part is not None)

    def decoded(self) -> Self:
        """Return the same with every image decoded, as `LabelledImages`."""
        return self.with_parts(lambda part: part.decoded())

    def with_parts(self, change: "Callable[[Part], Part]") -> Self:
        """Return the same with each part changed."""
        parts = (self.train, self.test, self.validation)
        train, test, validation = (part and change(part) for part in parts)
        return replace(self, train=train, test=test, validation=validation)


@runtime_checkable
class Source(Protocol):
    """What `kcnn.data.load` needs of a source; any object that offers it can be one."""

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class. A mirrored 2 is no 2."""
        ...

    def open(self, data_dir: str | os.PathLike | None) -> Opened:
        """Find the images and read the labels.

        Images that need not be decoded yet are not: they are returned as an `ImageReader`, or as
        `Examples` if TensorFlow reads them.
        """
        ...


def check_image_size(image_size: tuple[int, int] | None) -> None:
    """Raise a ValueError unless `image_size` is None or two positive integers."""
    if image_size is None:
        return
    sizes = image_size if isinstance(image_size, tuple) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"image_size must be (height, width) in pixels. Received: {image_size!r}.")
