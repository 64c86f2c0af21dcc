"""Load a source as four `tf.data.Dataset`s: the way into this package."""

import logging
import os
import warnings
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import tensorflow as tf

from kcnn.checks import check_count
from kcnn.data import labelled
from kcnn.data.augment import augmentation, check_own
from kcnn.data.checks import check_pixels
from kcnn.data.digest import digest
from kcnn.data.examples import as_examples
from kcnn.data.feed import Shuffled, in_order
from kcnn.data.folds import Share
from kcnn.data.mixing import mixing
from kcnn.data.opened import Source
from kcnn.data.operations import Augment
from kcnn.data.reading import read_parts
from kcnn.data.sampling import Sampling, check_sampling
from kcnn.data.sources import as_source
from kcnn.data.splits import VALIDATION, check_arguments, check_batch_size, split

DEFAULT_BATCH = 128

logger = logging.getLogger("kcnn")

# `fit` warns of its own default whenever it gets a `tf.data.Dataset`, as `Data.train` is one.
warnings.filterwarnings("ignore", message="`shuffle=True` was passed, but will be ignored")


@dataclass(frozen=True)
class Data:
    """A data set, ready for `model.fit`.

    Every dataset yields (uint8 images [B, H, W, C] of 0 to 255, int32 labels [B]); series and
    voxels are float32 [B, ..., channels]. With "mixup" or "cutmix", `train` has soft labels
    instead, float32 [B, classes]: the share of each class in the image.

    Attributes:
        train: One epoch, shuffled and augmented, with a fresh order and fresh random changes each
            time it is iterated. All its batches are full: images that are left over come in another
            epoch.
        validation: All validation images, in order and unchanged. Everything is chosen on them.
        test: All test images, in order and unchanged, to be scored once.
        calibration: The training images in a fixed random order, not augmented, for int8
            calibration and for explanations.
        class_names: One name a label.
        image_shape: (height, width, channels).
        num_train: Number of training images.
        num_validation: Number of validation images.
        num_test: Number of test images.
        steps_per_epoch: Number of batches of `train`.
        shuffled: Makes `train` and `batches`. None if `train` is a dataset of your own.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset
    calibration: tf.data.Dataset
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_train: int
    num_validation: int
    num_test: int
    steps_per_epoch: int
    shuffled: Shuffled | None = field(default=None, compare=False, repr=False)

    @property
    def has_own_train(self) -> bool:
        """Whether `train` is a dataset of your own and not the one that `load` made."""
        return self.shuffled is None or self.shuffled.train is not self.train

    def begin_train_at(self, epoch: int) -> None:
        """Let the next iteration over `train` yield this epoch, and later ones those after it.

        For `kcnn.callbacks.Resume`. A `train` of your own is left as it is.

        Raises:
            ValueError: If `epoch` is no integer of at least 0.

        >>> data = load("digits", limit=200, batch_size=30)
        >>> def next_labels():
        ...     return next(iter(data.train))[1][:4].numpy().tolist()
        >>> first, second = next_labels(), next_labels()
        >>> data.begin_train_at(1)
        >>> next_labels() == second
        True
        """
        check_count("epoch", epoch, minimum=0)
        if self.shuffled is not None:
            self.shuffled.begin_train_at(epoch)

    def batches(self, epoch: int = 0, step: int = 0) -> tf.data.Dataset:
        """Return all training batches from this step of this epoch on, without end.

        For training loops: the batches follow from (seed, epoch, step) alone, whatever the data
        were used for before. A stopped training can therefore go on with the batches that it would
        have had. No image of an earlier step is read or augmented.

        A `train` of your own is repeated from its beginning instead, `epoch` is ignored, and `step`
        batches are skipped.

        Args:
            epoch: Number of the epoch, from 0.
            step: Number of the batch within the epoch, from 0; one past the end of the epoch counts
                on in the next ones.

        Raises:
            ValueError: If an argument is no integer of at least 0.

        >>> data = load("digits", limit=200, batch_size=30)
        >>> def first_labels(batches):
        ...     return next(iter(batches))[1][:4].numpy().tolist()
        >>> first_labels(data.batches()) == first_labels(data.train)
        True
        >>> first_labels(data.batches(1)) == first_labels(data.batches(0, data.steps_per_epoch))
        True
        """
        check_count("epoch", epoch, minimum=0)
        check_count("step", step, minimum=0)
        if self.shuffled is None or self.shuffled.train is not self.train:
            return self.train.repeat().skip(step)
        return self.shuffled.batches(epoch, step)

    def identity(self) -> dict[str, str | int]:
        """Return the seed and a digest of the first batch: a kept state belongs to one training.

        Images, split, order and augmentation all decide the first batch. A `train` of your own may
        be another one each time, so nothing is said of it.

        >>> data = load("digits", limit=200, batch_size=30)
        >>> data.identity() == load("digits", limit=200, batch_size=30, seed=1).identity()
        False
        """
        if self.shuffled is None or self.shuffled.train is not self.train:
            return {}
        images, labels = next(iter(self.batches().take(1).as_numpy_iterator()))
        return {"seed": self.shuffled.seed, "first_batch": digest(images, labels)}


def load(  # noqa: PLR0913 - what an epoch is made of
    name: str | os.PathLike | Source = "cifar10",
    *,
    image_size: tuple[int, int] | None = None,
    batch_size: int | None = DEFAULT_BATCH,
    augment: Augment = "standard",
    sampling: Sampling = "uniform",
    validation: Share = VALIDATION,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    limit: int | None = None,
) -> Data:
    """Load a set of labelled images, split it, and make batches of it.

    Sets of up to 1 GB (decoded) are held in RAM as uint8. Larger ones are read from the disk during
    the training; nothing else differs. Two calls with the same arguments give the same batches in
    the same order, whatever the global seeds are.

    Args:
        name: One of `kcnn.data.names()`, any other image-classification set of TensorFlow
            Datasets, "folder:PATH" for your own images, or a source: `kcnn.data.Digits`,
            `kcnn.data.Tfds`, `kcnn.data.Folder`. A `Path` is that of an image folder.
        image_size: (height, width) that images of a name are scaled and cropped to; needed where
            they differ in size.
        batch_size: Number of images in a batch; None for 128, or all training images if there are
            fewer.
        augment: One of `kcnn.data.AUGMENTATIONS`; a function of your own, or its place as
            "module:function"; or a list of functions, places and `kcnn.data.OPERATIONS`, which
            follow each other: ("strong", "cutout"). A function is called with uint8 images
            [batch_size, H, W, C] and an int64 seed [2] for `tf.random.stateless_*`, and returns
            uint8 images of the same shape. The seed follows from (seed, epoch, step).
            "mixup" and "cutmix" make soft labels, float32 [batch_size, classes], in `train`,
            whose loss is CategoricalCrossentropy; in a list they come last. A source whose
            `mirror` is False, such as digits, is never mirrored.
        sampling: "uniform" for epochs with each image once (but those that fill no batch);
            "balanced" for as many images of every class, where some classes are rare. An epoch has
            as many batches as without: images of a rare class come several times, and of a frequent
            one only some, others each time.
        validation: Share of the training images that become the validation set, above 0 and below
            0.5, the same share of every class; or `kcnn.data.Fold(number, of=5)` for a k-fold
            cross-validation. A source with validation images of its own, such as a folder with
            `val/`, takes the default only.
        seed: Decides the validation set, the order and every random change.
        data_dir: Where TensorFlow Datasets keeps its sets; None means the environment variable
            TFDS_DATA_DIR, else ~/tensorflow_datasets.
        limit: Keep at most this many training images (before the validation set is taken from
            them) and this many test images, for a quick trial.

    Raises:
        ValueError: If an argument is unknown or out of range, or an image or a folder cannot be
            used.
        RuntimeError: If the set is not prepared and cannot be downloaded.

    >>> data = load("digits", batch_size=32)
    >>> data.num_train, data.num_validation, data.num_test, data.steps_per_epoch
    (1294, 144, 359, 40)
    >>> images, labels = next(iter(data.train))
    >>> images.shape, images.dtype, labels.shape
    (TensorShape([32, 32, 32, 3]), tf.uint8, TensorShape([32]))
    """
    if batch_size is not None:
        check_batch_size(batch_size)
    check_arguments(validation=validation, seed=seed, limit=limit)
    check_sampling(sampling)
    origin = as_source(name, image_size)
    change = augmentation(augment, mirror=origin.mirror)  # raises before anything is read
    opened = origin.open(data_dir)
    if isinstance(opened.train, labelled.LabelledImages) and getattr(origin, "pixels", True):
        check_pixels("train", opened.train.images)
    parts = split(opened, validation, seed, limit)
    batch_size = min(DEFAULT_BATCH, len(parts[0])) if batch_size is None else batch_size
    check_batch_size(batch_size, len(parts[0]))
    held = sum(part.num_bytes for part in parts) <= labelled.RAM_LIMIT
    train, held_out, test = map(as_examples, read_parts(parts, held=held))
    check_own(augment, train.image_shape, batch_size)
    mix = mixing(augment, len(opened.class_names))
    order = np.random.default_rng(seed).permutation(len(train))
    logger.info("%d train, %d validation, %d test images.", len(train), len(held_out), len(test))
    test_batches = in_order(test, batch_size)
    cast("Any", test_batches).holds_test_images = True  # export refuses to calibrate on them
    shuffled = Shuffled(train, batch_size, seed, change, mix, sampling)
    return Data(
        train=shuffled.train,
        validation=in_order(held_out, batch_size),
        test=test_batches,
        calibration=in_order(train.subset(order), batch_size),
        class_names=opened.class_names,
        image_shape=train.image_shape,
        num_train=len(train),
        num_validation=len(held_out),
        num_test=len(test),
        steps_per_epoch=shuffled.steps_per_epoch,
        shuffled=shuffled,
    )
