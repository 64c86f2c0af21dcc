"""Read one image file of any usual kind into an array."""

import io
import os
from typing import cast

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, features

from kcnn.errors import one_line

_SUFFIXES = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "JPEG2000": (".jp2",),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
# What this build of Pillow can decode.
_OPTIONAL = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
# Listed, so that a file with an image's suffix cannot reach Pillow's rarer decoders.
_FORMATS = tuple(
    name for name in _SUFFIXES if name not in _OPTIONAL or features.check(_OPTIONAL[name])
)

SUFFIXES = tuple(sorted(suffix for name in _FORMATS for suffix in _SUFFIXES[name]))
"""File names that count as images."""

_KINDS = f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"

MAX_PIXELS = 50_000_000
"""Larger images are refused: a few kilobytes of PNG can decode to gigabytes."""

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = 1
_FIRST_SIDEWAYS = 5


class _NotReadable(ValueError):
    """An image that is whole, but has no pixels of 0 to 255."""


def read_image(path: str | os.PathLike, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Return an image file as uint8 RGB [H, W, 3], as a picture viewer shows it.

    The picture is rotated as its EXIF orientation says, its colors are converted from its ICC
    profile to sRGB, 16 bits are scaled to 8, gray is repeated three times, and transparent pixels
    become white (Keras and torchvision drop transparency, which shows colors that no viewer does).
    Of an animation, the first frame is read.

    Args:
        path: A file of one of the kinds in `SUFFIXES`, such as PNG, JPEG, WebP, TIFF or AVIF.
        image_size: (height, width) in pixels to scale to; None keeps the size. The aspect ratio
            is kept: the picture is scaled, bilinear with antialiasing, until it just covers that
            size, and the rest is cropped evenly on two sides, as is usual for ImageNet models.

    Raises:
        ValueError: If the file does not exist, is no image, is damaged or has more than
            `MAX_PIXELS` pixels.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "gray.png")
    >>> Image.new("L", (6, 4), 200).save(path)
    >>> read_image(path).shape, read_image(path, (2, 2)).max().item()
    ((4, 6, 3), 200)
    """
    with _opened(path) as image:
        try:
            if image_size is not None:
                # Decodes a large JPEG at a half, a quarter or an eighth of its size, in a fraction
                # of the time, but at no less than twice `image_size`, so that `fit` can average.
                side = 2 * max(image_size)
                image.draft(None, (side, side))
            image.load()
            profile = image.info.get("icc_profile")
            image = _opaque(_upright(image))
        except Exception as error:
            raise _unreadable(path, error) from error
    if image_size is not None and image.size != image_size[::-1]:
        height, width = image_size
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(_to_srgb(image, profile))


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Return the (height, width) of an image file from its header, without decoding it.

    Raises:
        ValueError: As `read_image`, but damage after the header goes unnoticed.
    """
    with _opened(path) as image:
        width, height = image.size
        # A PNG may state its orientation after the pixels, and Pillow would decode them to find it.
        stated = image.format != "PNG" or "exif" in image.info
        sideways = stated and _orientation(image) >= _FIRST_SIDEWAYS
        return (width, height) if sideways else (height, width)


def _opened(path: str | os.PathLike) -> Image.Image:
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        # Opening a pipe would wait until something is written into it.
        raise _unreadable(path, _NotReadable("it is a pipe or a device, not a file"))
    # Exception, because Pillow's decoders raise nearly every kind of it on damaged files.
    try:
        image = Image.open(path, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except Exception as error:
        raise _unreadable(path, error) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _too_large(path)
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT))
    except Exception:  # damaged EXIF is no reason to refuse the picture
        return _UPRIGHT


def _upright(image: Image.Image) -> Image.Image:
    return image if _orientation(image) == _UPRIGHT else ImageOps.exif_transpose(image)


def _opaque(image: Image.Image) -> Image.Image:
    """Return the image in 8 bits, gray, RGB or CMYK, so that it can be scaled."""
    if image.mode == "F":
        raise _NotReadable("its pixels are floats, whose range is not known")
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip at 255
        scaled = (np.asarray(image).astype(np.uint32) + 128) // 257
        return Image.fromarray(scaled.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode in ("L", "CMYK") else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            return cast("Image.Image", converted)  # None is returned only by inPlace
        except (ImageCms.PyCMSError, OSError):
            pass  # as viewers ignore a profile that is damaged or of another kind of image
    return image.convert("RGB")


def _too_large(path: str | os.PathLike) -> ValueError:
    return ValueError(
        f"Image {os.fspath(path)!r} cannot be read: it has more than {MAX_PIXELS:,} pixels. "
        "Make it smaller or remove it."
    )


def _unreadable(path: str | os.PathLike, error: Exception) -> ValueError:
    if isinstance(error, UnidentifiedImageError):
        reason = f"it is no {_KINDS}, or damaged. Save it as one of these"
    elif isinstance(error, _NotReadable):
        reason = str(error)
    elif isinstance(error, OSError) and error.strerror:  # missing, a folder, not permitted
        reason = error.strerror
    else:
        reason = f"it is damaged ({one_line(error)}). Replace or remove it"
    return ValueError(f"Image {os.fspath(path)!r} cannot be read: {reason}.")
