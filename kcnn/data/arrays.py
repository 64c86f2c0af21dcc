"""A data set as NumPy arrays, split as `load` splits it, without TensorFlow."""

import os
from dataclasses import dataclass

from kcnn.data import labelled
from kcnn.data.folds import Share
from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Source
from kcnn.data.reading import read_parts
from kcnn.data.sources import source
from kcnn.data.splits import VALIDATION, check_arguments, split


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


def load_arrays(
    name: str | Source = "cifar10",
    *,
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
    check_arguments(validation=validation, seed=seed, limit=limit)
    origin = name if isinstance(name, Source) else source(name)
    opened = origin.open(data_dir)
    parts = split(opened, validation, seed, limit)
    size = sum(part.num_bytes for part in parts)
    if size > labelled.RAM_LIMIT:
        raise ValueError(
            f"The images are {size / 1e9:.1f} GB decoded, and arrays may have "
            f"{labelled.RAM_LIMIT / 1e9:.1f}: pass limit=, or a source with a smaller image_size."
        )
    train, held_out, test = read_parts(parts, held=True)
    return Arrays(
        train.decoded(), held_out.decoded(), test.decoded(), opened.class_names, origin.mirror
    )
