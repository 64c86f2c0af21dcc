"""TensorFlow Datasets: CIFAR-10 and every other image-classification set by its name."""

import os
from dataclasses import dataclass
from pathlib import Path

from kcnn.data import labelled
from kcnn.data.cache import SetCache, can_decode
from kcnn.data.opened import Opened, check_image_size
from kcnn.errors import naming


@dataclass(frozen=True)
class Tfds:
    """An image-classification set of TensorFlow Datasets, downloaded at its first use.

    A set that fits into RAM is decoded once. Its arrays are cached (see `kcnn.data.cache`) and read
    from the cache, without TensorFlow, as long as the prepared files are the same, or are away.

    Catalogue: https://www.tensorflow.org/datasets/catalog/overview#image_classification

    Attributes:
        name: As tfds writes it: "cifar10", "svhn_cropped", "mnist_corrupted/fog".
        image_size: (height, width) that every image is resized to. Needed where images differ in
            size; None keeps the size they all have.
        mirror: Whether a mirror image still belongs to its class. False for digits and text.
    """

    name: str
    image_size: tuple[int, int] | None = None
    mirror: bool = True

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_image_size(self.image_size)

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Read the cached arrays, or else the labels of the prepared set, downloaded if need be.

        Args:
            data_dir: Where tfds keeps its sets. None means the environment variable
                TFDS_DATA_DIR, else tfds's own default, ~/tensorflow_datasets.

        Raises:
            ValueError: If the name is unknown, the set is no image classification, or images
                differ in size and `image_size` is None.
            RuntimeError: If the set is not prepared and cannot be downloaded, or is damaged.
        """
        cache = SetCache(self.name, self.image_size, data_dir)
        cached = cache.read()
        if cached:
            return cached
        if not can_decode():
            raise RuntimeError(
                f"Data set {self.name!r} has no usable arrays in {str(cache.path)!r}, and making "
                "them takes TensorFlow and TensorFlow Datasets. Where both are installed, run "
                f"`kcnn.data.load_arrays({self.name!r})` and copy the file from there to here; or "
                "write a file of your own with np.savez and name it 'arrays:PATH'."
            )
        # Imported late: it takes seconds, and cached arrays do not need it.
        from kcnn.data import tfds_reader

        builder = tfds_reader.prepared(self.name, self.image_size, data_dir)
        stamp = cache.stamp(Path(builder.data_path))
        opened = tfds_reader.read(builder, self.image_size)
        if opened.num_bytes > labelled.RAM_LIMIT:
            return opened
        with naming(builder.data_path):
            opened = opened.decoded()
        cache.write(opened, stamp)
        return opened
