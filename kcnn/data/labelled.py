"""Labelled images in NumPy alone: what every source becomes once it is decoded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

RAM_LIMIT = 1 << 30
"""Sets of up to this many decoded bytes are held in RAM; larger ones are read batch by batch."""

_READERS, _READ_BATCH = 2, 256


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and their labels in RAM.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int32 [N].
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.images.shape[1:]

    @property
    def num_bytes(self) -> int:
        """Size of the images."""
        return self.images.nbytes

    def subset(self, indices: np.ndarray) -> Self:
        """Return the images at `indices`, in that order, copied."""
        return type(self)(self.images[indices], self.labels[indices])

    def decoded(self) -> Self:
        """Return itself: there is nothing to decode."""
        return self


@dataclass(frozen=True, eq=False)
class ImageReader:
    """Labels in RAM, and images that are read by their index.

    Attributes:
        labels: int32 [N].
        image_shape: (height, width, channels) of every image.
        read: A function from indices [B] to uint8 images [B, H, W, C].
    """

    labels: np.ndarray
    image_shape: tuple[int, int, int]
    read: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def num_bytes(self) -> int:
        """Size of the decoded images."""
        return len(self) * int(np.prod(self.image_shape))

    def subset(self, indices: np.ndarray) -> Self:
        """Return the images at `indices`, in that order. Nothing is read."""
        return type(self)(
            self.labels[indices], self.image_shape, lambda places: self.read(indices[places])
        )

    def decoded(self) -> LabelledImages:
        """Read every image, two batches at a time: Pillow releases Python's lock while decoding."""
        images = np.empty((len(self), *self.image_shape), np.uint8)
        places = np.arange(len(self))
        batches = [places[start : start + _READ_BATCH] for start in places[::_READ_BATCH]]
        with ThreadPoolExecutor(_READERS) as readers:
            for batch, pixels in zip(batches, readers.map(self.read, batches), strict=True):
                images[batch] = pixels
        return LabelledImages(images, self.labels)
