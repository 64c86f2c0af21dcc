"""A data set for JAX, split as `load` splits it: as NumPy arrays, or read when it is needed."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kcnn.data import labelled
from kcnn.data.folds import Share
from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.data.opened import Source
from kcnn.data.reading import read_parts
from kcnn.data.sources import as_source
from kcnn.data.splits import VALIDATION, check_arguments, split

if TYPE_CHECKING:
    from kcnn.data.opened import Part


@dataclass(frozen=True, eq=False)
class Arrays:
    """A data set in RAM: uint8 images [N, H, W, C] of 0 to 255 and int32 labels [N].

    Attributes:
        train: The training images, in the order of their source.
        validation: Everything is chosen on this one.
        test: To be scored once.
        class_names: One name a label.
        mirror: Whether a mirror image still belongs to its class.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    class_names: tuple[str, ...]
    mirror: bool = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.train.image_shape


@dataclass(frozen=True, eq=False)
class Streams:
    """A data set whose images are read when they are needed; labels are in RAM.

    Attributes:
        train: As in `Arrays`.
        validation: As in `Arrays`.
        test: As in `Arrays`.
        class_names: One name a label.
        mirror: Whether a mirror image still belongs to its class.
    """

    train: ImageReader | LabelledImages
    validation: ImageReader | LabelledImages
    test: ImageReader | LabelledImages
    class_names: tuple[str, ...]
    mirror: bool = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.train.image_shape


def load_arrays(
    name: str | os.PathLike | Source = "cifar10",
    *,
    image_size: tuple[int, int] | None = None,
    validation: Share = VALIDATION,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    limit: int | None = None,
) -> Arrays:
    """Load a set of labelled images and split it, exactly as `load` does, into arrays.

    TensorFlow is needed only for the first use of a set of TensorFlow Datasets, whose arrays are
    then cached in `~/.cache/kcnn/data` (or the folder that KCNN_DATA_CACHE names). A machine
    without TensorFlow reads a copy of that file, or a file of your own: "arrays:PATH".

    Args:
        name: As in `load`; "arrays:FILE.npz" for a file of `np.savez`, see `ArrayFile`.
        image_size: As in `load`.
        validation: As in `load`.
        seed: Decides the validation set.
        data_dir: As in `load`.
        limit: As in `load`.

    Raises:
        ValueError: If an argument is unknown or out of range, an image, a folder or a file cannot
            be used, or the images take more than 1 GB.
        RuntimeError: If the set is not prepared and cannot be downloaded.

    >>> arrays = load_arrays("digits")
    >>> arrays.train.images.shape, arrays.train.images.dtype, len(arrays.validation)
    ((1294, 32, 32, 3), dtype('uint8'), 144)
    """
    loaded = _load(as_source(name, image_size), validation, seed, data_dir, limit)
    if loaded.size > labelled.RAM_LIMIT:
        raise ValueError(
            f"The images are {loaded.size / 1e9:.1f} GB decoded, and arrays may have "
            f"{labelled.RAM_LIMIT / 1e9:.1f}: pass limit=, a source with a smaller image_size, or "
            "use kcnn.data.load_streams, which reads them when they are needed."
        )
    return loaded.held()


def load_streams(
    name: str | os.PathLike | Source = "cifar10",
    *,
    image_size: tuple[int, int] | None = None,
    validation: Share = VALIDATION,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    limit: int | None = None,
) -> Arrays | Streams:
    """Load a set of labelled images as `load_arrays` does, or leave it on the disk if it is large.

    Use it for a training on JAX with more images than fit in memory: `kcnn.data.JaxData` takes
    either. Of a set of more than 1 GB, decoded, a label and a place for each image are in RAM.

    Args:
        name: As in `load`.
        image_size: As in `load`.
        validation: As in `load`.
        seed: Decides the validation set.
        data_dir: As in `load`.
        limit: As in `load`.

    Raises:
        ValueError: If an argument is unknown or out of range, or an image, a folder or a file
            cannot be used.
        RuntimeError: If the set is not prepared and cannot be downloaded.

    >>> type(load_streams("digits")).__name__
    'Arrays'
    """
    loaded = _load(as_source(name, image_size), validation, seed, data_dir, limit)
    return loaded.held() if loaded.size <= labelled.RAM_LIMIT else loaded.left()


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A source that is open and split, of which no image has been kept."""

    parts: Any
    class_names: tuple[str, ...]
    mirror: bool

    @property
    def size(self) -> int:
        return sum(part.num_bytes for part in self.parts)

    def held(self) -> Arrays:
        train, held_out, test = read_parts(self.parts, held=True)
        parts = (train.decoded(), held_out.decoded(), test.decoded())
        return Arrays(*parts, self.class_names, self.mirror)

    def left(self) -> Streams:
        train, held_out, test = map(_as_reader, read_parts(self.parts, held=False))
        return Streams(train, held_out, test, self.class_names, self.mirror)


def _load(
    origin: Source,
    validation: Share,
    seed: int,
    data_dir: str | os.PathLike | None,
    limit: int | None,
) -> _Loaded:
    check_arguments(validation=validation, seed=seed, limit=limit)
    opened = origin.open(data_dir)
    return _Loaded(split(opened, validation, seed, limit), opened.class_names, origin.mirror)


def _as_reader(part: "Part") -> ImageReader | LabelledImages:
    if isinstance(part, ImageReader | LabelledImages):
        return part

    import tensorflow as tf  # which has opened the part, so that it is installed

    places = [tf.TensorSpec([None], tf.int64)]
    fetch = tf.function(part.fetch, input_signature=places, autograph=False)

    def read(indices: np.ndarray) -> np.ndarray:
        return np.asarray(fetch(cast("Any", np.asarray(indices, np.int64))))

    return ImageReader(part.labels, part.image_shape, read)
