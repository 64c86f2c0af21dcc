"""Read one image file of any usual kind into an array."""

import os

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""File names that count as images."""

MAX_PIXELS = 50_000_000
"""Larger images are refused: a few kilobytes of PNG can unfold to gigabytes."""

# Named, so that a file with an image's suffix cannot reach Pillow's rarer decoders.
_FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
_EXIF_ORIENTATION = 0x0112
_FIRST_SIDEWAYS = 5


def read_image(path: str | os.PathLike, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Return an image file as uint8 RGB [H, W, 3].

    The picture is turned as its EXIF orientation says, 16-bit grey is scaled to 8 bits, grey is
    repeated three times, transparency is dropped as Keras and torchvision do.

    Args:
        path: A PNG, JPEG, BMP or WebP file.
        image_size: (height, width) to resize to, bilinear with antialiasing; None keeps the size.

    Raises:
        ValueError: If the file is no image, is damaged or has more than `MAX_PIXELS`.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "grey.png")
    >>> Image.new("L", (6, 4), 200).save(path)
    >>> read_image(path).shape, read_image(path, (2, 2)).max().item()
    ((4, 6, 3), 200)
    """
    with _opened(path) as image:
        try:
            rgb = _to_rgb(ImageOps.exif_transpose(image))
        except Exception as error:
            raise _unreadable(path, error) from error
    if image_size is not None and rgb.size != image_size[::-1]:
        rgb = rgb.resize(image_size[::-1], Image.BILINEAR)
    return np.asarray(rgb)


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Return the (height, width) of an image file from its head, without decoding it.

    Raises:
        ValueError: As `read_image`, but damage behind the head goes unnoticed.
    """
    with _opened(path) as image:
        width, height = image.size
        # Only a JPEG states its orientation in front of the pixels.
        exif = image.getexif() if image.format == "JPEG" else {}
        sideways = exif.get(_EXIF_ORIENTATION, 1) >= _FIRST_SIDEWAYS
        return (width, height) if sideways else (height, width)


def _opened(path: str | os.PathLike) -> Image.Image:
    # Pillow's decoders raise nearly every kind of exception on damaged files, hence Exception.
    try:
        image = Image.open(path, formats=_FORMATS)
    except Exception as error:
        raise _unreadable(path, error) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise ValueError(
            f"Image {os.fspath(path)!r} has {image.width} x {image.height} pixels, more than the "
            f"{MAX_PIXELS:,} that are read. Make it smaller or remove it."
        )
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it at 255.
        scaled = (np.asarray(image).astype(np.uint32) + 128) // 257
        image = Image.fromarray(scaled.astype(np.uint8))
    if image.mode == "P":  # Pillow warns when transparency leaves a palette in one step.
        image = image.convert("RGBA")
    return image.convert("RGB")


def _unreadable(path: str | os.PathLike, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(
        f"Image {os.fspath(path)!r} cannot be read, it is damaged or no PNG, JPEG, BMP or WebP: "
        f"{reason}. Replace or remove it."
    )
