"""From image files of any size to the pixels that a model takes."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kcnn.color import LUMA
from kcnn.data.images import SUFFIXES, read_image, read_size

_SHOWN = 512
_ANY_SIZE = 224


def photograph_shape(
    image_shape: Sequence[int | None], model_name: str = "model"
) -> tuple[int, int, int]:
    """Return the (height, width, channels) to give a model photographs in.

    Args:
        image_shape: of the model's images, None where it takes any size: 224 pixels are taken.
        model_name: for the error.

    Raises:
        ValueError: its images have neither 1 nor 3 channels.
    """
    height, width, channels = image_shape
    if channels is None or channels not in (1, 3):
        raise ValueError(
            "Photographs need a model that takes images [N, height, width, 1 or 3]. Received: "
            f"{model_name!r} with [N, {height}, {width}, {channels}]."
        )
    return height or _ANY_SIZE, width or _ANY_SIZE, channels


def read_photographs(paths: Sequence[str | os.PathLike], shape: tuple[int, int, int]) -> np.ndarray:
    """Return image files as a model takes them, uint8 [N, height, width, channels].

    Each is read as `kcnn.data` reads images: turned upright, in sRGB, cropped to the proportions of
    the model's images. It is then made as small as these with an antialiasing filter, and gray
    (luma of ITU-R BT.601) for a model of one channel. None depends on the others.

    Args:
        paths: of image files of the kinds in `kcnn.data.images.SUFFIXES`.
        shape: (height, width, channels) of the model's images.

    Raises:
        ValueError: a file cannot be read as an image.
    """
    height, width, channels = shape
    pixels = np.empty((len(paths), *shape), np.uint8)
    for place, path in enumerate(paths):
        photograph = read_image(path, shown_size([read_size(path)], (height, width)))
        pixels[place] = shrink(photograph[None], (height, width), channels)[0]
    return pixels


def shown_size(sizes: Sequence[tuple[int, int]], input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) to show photographs at.

    It has the proportions of the model's input and the detail of the finest photograph, but it is
    never smaller than the input, and no side is longer than 512 pixels unless the input's is.

    >>> shown_size([(480, 640)], (32, 32))
    (480, 480)
    """
    height, width = input_size
    finest = max(min(rows / height, columns / width) for rows, columns in sizes)
    scale = max(1.0, min(finest, _SHOWN / max(input_size)))
    return round(scale * height), round(scale * width)


def shrink(photographs: np.ndarray, size: tuple[int, int], channels: int) -> np.ndarray:
    """Return photographs uint8 [N, H, W, 3] as uint8 [N, height, width, channels]."""
    import keras  # not needed to classify arrays with LiteRT

    pixels = photographs.astype("float32")
    if channels == 1:
        pixels = pixels @ np.array(LUMA, "float32")[:, None]
    small = keras.ops.image.resize(pixels, size, interpolation="bilinear", antialias=True)
    return np.rint(np.asarray(keras.ops.convert_to_numpy(small))).astype("uint8")


def image_files(path: Path) -> list[Path]:
    """Return the image files that a path stands for: itself, or those in a folder, by name.

    Raises:
        ValueError: the folder holds no image.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    inside = (file.parent for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES)
    if not files and (folder := next(inside, None)):
        raise ValueError(
            f"The folder {str(path)!r} holds no image itself: name a folder inside it, such as "
            f"{str(folder)!r}."
        )
    if not files:
        raise ValueError(
            f"The folder {str(path)!r} holds no image: none of its files ends in "
            f"{', '.join(SUFFIXES)}."
        )
    return files
