"""Golden photographs: image files of odd size, and the pixels that an app must make of them.

Golden vectors begin behind the picture: they say nothing of how an app decodes, rotates, crops and
scales. Each photograph here is a golden image, enlarged, with a fine pattern over it that averages
out, stored as a JPEG that is turned by its EXIF orientation. An app that does not rotate, or that
scales without antialiasing, gets visibly other pixels.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kcnn.color import LUMA
from kcnn.data.images import read_image

TOLERANCE = 6
"""Levels of 0-255 by which a pixel may differ: JPEG decoders round differently, by up to three."""

_ORIENTATIONS = (6, 1, 3, 8)  # turned right, upright, upside down, turned left
_EXIF_ORIENTATION = 0x0112
_ENLARGED, _LARGEST = 9.3, 601  # how many times, and pixels of the longer side
_CONTRAST = 40  # of the pattern, in levels
_BACK = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def write_photographs(images: np.ndarray, folder: Path) -> np.ndarray:
    """Write up to four images as photographs, and return the pixels that an app must make of them.

    Args:
        images: golden images, uint8 `(count, height, width, 1 or 3)`.
        folder: where `0.jpg`, `1.jpg`, ... are written.

    Returns:
        uint8, of the images' shape but for their count.
    """
    folder.mkdir()
    files = []
    for image, orientation in zip(images, _ORIENTATIONS, strict=False):
        files.append(folder / f"{len(files)}.jpg")
        files[-1].write_bytes(_photograph(image, orientation))
    return pixels_of(files, images.shape[1:])


def pixels_of(files: Sequence[Path], shape: Sequence[int]) -> np.ndarray:
    """Return photographs as an app must feed them to a model, uint8 `(count, *shape)`.

    Args:
        files: image files without transparency and color profiles.
        shape: (height, width, channels) of the model's images.
    """
    height, width, channels = shape
    pixels = np.empty((len(files), height, width, 3), np.uint8)
    for place, file in enumerate(files):
        upright = Image.fromarray(read_image(file))
        fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
        pixels[place] = np.asarray(fitted)
    if channels == 1:
        return np.rint(pixels @ np.array(LUMA, "float32")[:, None]).astype(np.uint8)
    return pixels


def _photograph(image: np.ndarray, orientation: int) -> bytes:
    """Return an image as a JPEG of odd size, wider than it, that EXIF turns upright."""
    height, width, _ = image.shape
    scale = max(1.0, min(_ENLARGED, _LARGEST / max(height, width)))
    rows, columns = round(scale * height) | 1, round(scale * width * 1.1) | 1
    picture = Image.fromarray(np.broadcast_to(image, (height, width, 3)))
    large = np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC)).astype(np.int16)
    # Lighter and darker stripes of one pixel, in the direction that is not the JPEG's own blocks'.
    stripes = np.where(np.arange(rows)[:, None] % 2, _CONTRAST, -_CONTRAST)
    stored = Image.fromarray(np.clip(large + stripes[..., None], 0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = orientation
    if orientation in _BACK:
        stored = stored.transpose(_BACK[orientation])
    content = io.BytesIO()
    stored.save(content, "JPEG", quality=95, subsampling=0, exif=exif)
    return content.getvalue()
