"""A data set for training in JAX: in the accelerator's memory, or read batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kcnn.data.arrays import Arrays, Streams
from kcnn.data.checks import check_labels, check_pixels
from kcnn.data.digest import digest
from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.data.operations import Augment, chain
from kcnn.data.sampling import Sampling, check_sampling
from kcnn.data.splits import check_arguments, check_batch_size

_FIRST = 64  # images that stand for all


@dataclass(frozen=True, eq=False)
class Batches:
    """Labelled images in order, batch by batch, iterated as a `tf.data.Dataset` is.

    Attributes:
        part: The images and their labels.
        batch_size: Images a batch; the last batch may have fewer.
    """

    part: LabelledImages | ImageReader
    batch_size: int

    def as_numpy_iterator(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield images uint8 [B, H, W, C] and labels int32 [B]."""
        for start in range(0, len(self.part), self.batch_size):
            batch = np.arange(start, min(start + self.batch_size, len(self.part)))
            yield self.part.read(batch), self.part.labels[batch]


@dataclass(frozen=True, eq=False)
class JaxData:
    """A data set for a training on the JAX backend, as `Data` is for TensorFlow.

    `kcnn.train` takes either. The order and the random changes of an epoch follow from
    (seed, epoch, step) alone.

    Attributes:
        arrays: What `kcnn.data.load_arrays` or `load_streams` returns.
        batch_size: Images a batch.
        augment: As in `kcnn.data.load`, but of the operations that run on JAX: all but
            "rotate_color", and so "strong". A function of your own is traced inside the compiled
            step: it is called with uint8 images [batch_size, H, W, C] and a key for `jax.random`,
            and returns uint8 images of the same shape.
        seed: Decides the order and every random change.
        sampling: As in `kcnn.data.load`.

    >>> from kcnn.data import load_arrays
    >>> data = JaxData(load_arrays("digits"), batch_size=32)
    >>> data.num_train, data.steps_per_epoch
    (1294, 40)
    """

    arrays: Arrays | Streams
    batch_size: int = 128
    augment: Augment = "standard"
    seed: int = 0
    sampling: Sampling = "uniform"

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_arguments(seed=self.seed)
        check_sampling(self.sampling)
        for name in ("train", "validation", "test"):
            part = getattr(self.arrays, name)
            count = len(part.images) if isinstance(part, LabelledImages) else len(part)
            check_labels(f"{name} labels", part.labels, count, len(self.class_names))
        check_pixels("train", self.first_images())
        check_batch_size(self.batch_size, self.num_train)
        if any(step.own is not None for step in chain(self.augment, "jax")):
            from kcnn.data.jax_augment import check_own  # imported late, because it imports JAX

            check_own(self.augment, self.image_shape, self.batch_size)

    @property
    def streams(self) -> bool:
        """Whether the images are read when they are needed."""
        return isinstance(self.arrays, Streams)

    def first_images(self) -> np.ndarray:
        """Return the training images, or the first ones if they are not in memory."""
        train = self.arrays.train
        return (
            train.images
            if isinstance(train, LabelledImages)
            else train.read(np.arange(min(_FIRST, len(train))))
        )

    @property
    def validation(self) -> Batches:
        """In order, as it is, all of it."""
        return Batches(self.arrays.validation, self.batch_size)

    @property
    def test(self) -> Batches:
        """In order, as it is, all of it. To be scored once."""
        return Batches(self.arrays.test, self.batch_size)

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a label."""
        return self.arrays.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.arrays.image_shape

    @property
    def num_train(self) -> int:
        """Number of training images."""
        return len(self.arrays.train)

    @property
    def num_validation(self) -> int:
        """Number of validation images."""
        return len(self.arrays.validation)

    @property
    def num_test(self) -> int:
        """Number of test images."""
        return len(self.arrays.test)

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches of training images; what is left over is in another epoch's."""
        return self.num_train // self.batch_size

    def identity(self) -> dict[str, str | int]:
        """Return the seed, the augmentation and a digest of images and labels, as `Data` does."""
        train = self.arrays.train
        images = digest(self.first_images()[:_FIRST], train.labels)
        identity = {"seed": self.seed, "augment": str(self.augment), "training_images": images}
        # States from before there was a choice do not name it.
        return identity if self.sampling == "uniform" else {**identity, "sampling": self.sampling}
