"""What a source of images promises."""

import os
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kcnn.data.examples import Examples


@dataclass(frozen=True)
class Opened:
    """What a source holds.

    Attributes:
        train: The training examples.
        test: The test examples; None where the source has none of its own.
        class_names: One name a label.
    """

    train: Examples
    test: Examples | None
    class_names: tuple[str, ...]


@runtime_checkable
class Source(Protocol):
    """What `kcnn.data.load` asks of a source; any object that has this can be one."""

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class. A mirrored 2 is no 2."""

    def open(self, data_dir: str | os.PathLike | None) -> Opened:
        """Find the images and read the labels; decode as little as possible."""


def check_image_size(image_size: tuple[int, int] | None) -> None:
    """Raise a ValueError unless `image_size` is None or two positive integers."""
    if image_size is None:
        return
    sizes = image_size if isinstance(image_size, tuple) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"image_size must be (height, width) in pixels. Received: {image_size!r}.")
