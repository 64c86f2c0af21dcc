"""Labelled images in NumPy alone: what every source becomes once it is decoded."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

from kcnn.data.damaged import damage

RAM_LIMIT = 1 << 30
"""Sets of up to this many decoded bytes are held in RAM; larger ones are read batch by batch."""

_READERS, _READ_BATCH = 2, 256


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and their labels in RAM.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int32 [N].
        names: What messages call each image, such as its file; empty if they have no names.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()

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
        return type(self)(
            self.images[indices], self.labels[indices], _names_at(self.names, indices)
        )

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at `indices`, as `ImageReader.read` does."""
        return self.images[indices]

    def decoded(self) -> Self:
        """Return itself: there is nothing to decode."""
        return self


@dataclass(frozen=True, eq=False)
class ImageReader:
    """Labels in RAM, and images that are read by their index.

    Attributes:
        labels: int32 [N].
        image_shape: (height, width, channels) of every image.
        read: A function from indices [B] to uint8 images [B, H, W, C]. It raises a ValueError for
            an image that cannot be read.
        names: What messages call each image, such as its file; empty if they have no names.
    """

    labels: np.ndarray
    image_shape: tuple[int, int, int]
    read: Callable[[np.ndarray], np.ndarray]
    names: tuple[str, ...] = ()

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
            self.labels[indices],
            self.image_shape,
            lambda places: self.read(indices[places]),
            _names_at(self.names, indices),
        )

    def decoded(self) -> LabelledImages:
        """Read every image into an array.

        Raises:
            Damaged: A ValueError: Images cannot be read; it has all of them.
        """
        images = np.empty((len(self), *self.image_shape), np.uint8)
        problems: dict[int, str] = {}
        for batch, pixels, found in self.batches():
            images[batch] = pixels
            problems |= found
        if problems:
            raise damage(problems.values())
        return LabelledImages(images, self.labels, self.names)

    def problems(self) -> dict[int, str]:
        """Return why images cannot be read, by their indices. Every image is decoded."""
        return {place: text for *_, found in self.batches() for place, text in found.items()}

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, Mapping[int, str]]]:
        """Yield the images in order: indices [B], uint8 images [B, H, W, C], and what is damaged.

        A damaged image is black. Two batches are read at a time, because Pillow releases Python's
        lock while it decodes.
        """
        places = np.arange(len(self))
        batches = [places[start : start + _READ_BATCH] for start in places[::_READ_BATCH]]
        with ThreadPoolExecutor(_READERS) as readers:
            for batch, read in zip(batches, readers.map(self._read, batches), strict=True):
                yield batch, *read

    def _read(self, batch: np.ndarray) -> tuple[np.ndarray, Mapping[int, str]]:
        try:
            return self.read(batch), {}
        except ValueError:
            pass  # one by one, to find all that cannot be read
        images, problems = np.zeros((len(batch), *self.image_shape), np.uint8), {}
        for image, place in zip(images, batch, strict=True):
            try:
                image[...] = self.read(place[None])[0]
            except ValueError as error:
                problems[int(place)] = str(error)
        return images, problems


def without(reader: ImageReader, places: Mapping[int, str]) -> ImageReader:
    """Return the images at all other places."""
    return reader.subset(np.setdiff1d(np.arange(len(reader)), list(places)))


def _names_at(names: tuple[str, ...], indices: np.ndarray) -> tuple[str, ...]:
    return tuple(names[index] for index in indices) if names else ()
