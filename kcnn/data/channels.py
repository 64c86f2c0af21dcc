"""Images as a model takes them: gray ones of color, or color ones of gray."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.data.opened import Opened, Source

if TYPE_CHECKING:
    from kcnn.data.opened import Part

# Of red, green and blue in 65,536ths: Pillow's weights, by which Keras reads gray images too.
_LUMA = np.array([19595, 38470, 7471], np.uint32)


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return uint8 images [..., 1 or 3] with 1 or 3 channels.

    >>> with_channels(np.array([[[[255, 0, 0]]]], np.uint8), 1).ravel()
    array([76], dtype=uint8)
    """
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    gray = (images.astype(np.uint32) @ _LUMA + 0x8000) >> 16
    return gray.astype(np.uint8)[..., None]


@dataclass(frozen=True)
class WithChannels:
    """A source whose images are gray or RGB, whatever they were.

    Attributes:
        source: The source.
        channels: 1 or 3.
    """

    source: Source
    channels: int

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class."""
        return self.source.mirror

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Open the source.

        Raises:
            ValueError: As that of the source.
        """
        return self.source.open(data_dir).with_parts(self.changed)

    def changed(self, part: "Part") -> "Part":
        """Return a part of the source with as many channels as asked for."""
        *size, channels = part.image_shape
        if channels == self.channels or channels not in (1, 3):
            return part
        part = part if isinstance(part, ImageReader) else part.decoded()
        if isinstance(part, LabelledImages):
            return replace(part, images=with_channels(part.images, self.channels))
        read, (height, width) = part.read, size
        return replace(
            part,
            image_shape=(height, width, self.channels),
            read=lambda indices: with_channels(read(indices), self.channels),
        )
