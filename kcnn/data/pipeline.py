"""From a source to four `tf.data.Dataset`s: the front door of the data room."""

import logging
import os
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from kcnn.data import labelled
from kcnn.data.augment import Augmentation, augmentation
from kcnn.data.examples import (
    PARALLEL_CALLS,
    Examples,
    as_examples,
    dataset_options,
    in_main_memory,
)
from kcnn.data.mixing import Mixing, mixing
from kcnn.data.sources import Source, source
from kcnn.data.splits import check_arguments, check_batch_size, split

_PREFETCH = 2

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Data:
    """A data set, ready for `model.fit`.

    Every dataset yields (uint8 images [B, H, W, C] of 0 to 255, int32 labels [B]); `train` with
    "mixup" or "cutmix" has soft labels instead, float32 [B, classes]: the share of each class in
    the image. Give Keras's `fit` shuffle=False with them: it has nothing to shuffle here and would
    warn about it.

    Attributes:
        train: One epoch, shuffled and augmented, with a fresh order and fresh draws each time it
            is iterated. Its batches are full: what is left over is in another epoch's batches.
        validation: In order, as it is, all of it. Everything is chosen on this one.
        test: In order, as it is, all of it. To be scored once.
        calibration: The training images in a fixed random order, not augmented: for int8
            calibration and for explanations.
        class_names: One name a label.
        image_shape: (height, width, channels).
        num_train: Number of training images.
        num_validation: Number of validation images.
        num_test: Number of test images.
        steps_per_epoch: Number of batches of `train`.
        next_epoch: Number, from 0, of the epoch that `train` gives when it is iterated next; its
            order and draws follow from it and the seed alone. None if `train` is of your own
            making.
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
    next_epoch: tf.Variable | None = field(default=None, compare=False, repr=False)

    def begin(self, epoch: int = 0) -> None:
        """Let `train` give this epoch when it is iterated next, and the later ones after it.

        `kcnn.train` and all that fine-tunes begin so, whatever the data were used for before.

        >>> data = load("digits", limit=200, batch_size=30)
        >>> def first_labels():
        ...     return next(iter(data.train))[1][:4].numpy().tolist()
        >>> data.begin()
        >>> first, second = first_labels(), first_labels()
        >>> data.begin(1)
        >>> first_labels() == second != first
        True
        """
        if self.next_epoch is not None:
            self.next_epoch.assign(epoch)


def load(
    name: str | Source = "cifar10",
    *,
    batch_size: int = 128,
    augment: str = "standard",
    validation: float = 0.1,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    limit: int | None = None,
) -> Data:
    """Load a set of labelled images, split it, and make batches of it.

    Sets of up to 1 GB (decoded) are held in RAM as uint8, larger ones are read from the disk while
    they are used; nothing else differs. Two calls with the same arguments give the same batches
    in the same order, whatever the global seeds are.

    Args:
        name: One of `kcnn.data.names()`, any other image-classification set of TensorFlow
            Datasets, "folder:PATH" for your own images, or a source: `kcnn.data.Digits`,
            `kcnn.data.Tfds`, `kcnn.data.Folder`. Images of different sizes need one of the last
            two, or `kcnn.data.source(name, image_size=(height, width))`.
        batch_size: Images a batch.
        augment: One of `kcnn.data.AUGMENTATIONS`. None mirrors a source whose `mirror` is False,
            such as digits. "mixup" and "cutmix" make soft labels, float32 [batch_size, classes],
            in `train`: its loss is CategoricalCrossentropy.
        validation: Share of the training images to cut off as validation set, above 0 and below
            0.5, with the same share of every class.
        seed: Decides the validation set, the order and every random change.
        data_dir: Where TensorFlow Datasets keeps its sets; None means the environment variable
            TFDS_DATA_DIR, else ~/tensorflow_datasets.
        limit: Keep at most that many training (before the cut) and that many test images, for a
            quick trial.

    Raises:
        ValueError: If an argument is unknown or out of range, or an image or a folder is not fit.
        RuntimeError: If the set is neither there nor can be downloaded.

    >>> data = load("digits", batch_size=32)
    >>> data.num_train, data.num_validation, data.num_test, data.steps_per_epoch
    (1294, 144, 359, 40)
    >>> images, labels = next(iter(data.train))
    >>> images.shape, images.dtype, labels.shape
    (TensorShape([32, 32, 32, 3]), tf.uint8, TensorShape([32]))
    """
    check_batch_size(batch_size)
    check_arguments(validation=validation, seed=seed, limit=limit)
    origin = name if isinstance(name, Source) else source(name)
    change = augmentation(augment, mirror=origin.mirror)
    opened = origin.open(data_dir)
    parts = split(opened, validation, seed, limit)
    check_batch_size(batch_size, len(parts[0]))
    held = sum(part.num_bytes for part in parts) <= labelled.RAM_LIMIT
    train, held_out, test = (as_examples(part.decoded() if held else part) for part in parts)
    mix = mixing(augment, len(opened.class_names))
    order = np.random.default_rng(seed).permutation(len(train))
    logger.info("%d train, %d validation, %d test images.", len(train), len(held_out), len(test))
    test_batches = _in_order(test, batch_size)
    test_batches.holds_test_images = True  # export refuses to calibrate on them
    with tf.device("CPU"):  # As in_main_memory.
        next_epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
    return Data(
        train=_shuffled(train, batch_size, seed, next_epoch, change, mix),
        validation=_in_order(held_out, batch_size),
        test=test_batches,
        calibration=_in_order(train.subset(order), batch_size),
        class_names=opened.class_names,
        image_shape=train.image_shape,
        num_train=len(train),
        num_validation=len(held_out),
        num_test=len(test),
        steps_per_epoch=len(train) // batch_size,
        next_epoch=next_epoch,
    )


def _in_order(examples: Examples, batch_size: int) -> tf.data.Dataset:
    labels = in_main_memory(examples.labels)

    def make_batch(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return examples.fetch(indices), tf.gather(labels, indices)

    return (
        tf.data.Dataset.range(len(examples))
        .batch(batch_size)
        .map(make_batch, num_parallel_calls=PARALLEL_CALLS)
        .prefetch(_PREFETCH)
        .with_options(dataset_options())
    )


def _shuffled(
    examples: Examples,
    batch_size: int,
    seed: int,
    next_epoch: tf.Variable,
    augment: Augmentation,
    mix: Mixing,
) -> tf.data.Dataset:
    count, steps = len(examples), len(examples) // batch_size
    labels = in_main_memory(examples.labels)
    # Who is mirrored in the odd epochs; in the even ones the others are.
    sides = in_main_memory(np.random.default_rng(seed).integers(0, 2, count))

    def draw_epoch(_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # All of an epoch's randomness follows from (seed, epoch): no hidden generator state.
        number = next_epoch.assign_add(1) - 1
        seeds = tf.random.split([seed, number], steps + 1)
        order = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seeds[0])
        order = tf.reshape(order[: steps * batch_size], [steps, batch_size])
        return order, seeds[1:], tf.repeat(number, steps)

    def make_batch(
        indices: tf.Tensor, batch_seed: tf.Tensor, number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        turned = tf.gather(sides, indices) == number % 2
        images = augment(examples.fetch(indices), batch_seed, turned)
        return mix(images, tf.gather(labels, indices), batch_seed)

    return (
        tf.data.Dataset.from_tensors(0)
        .map(draw_epoch)
        .unbatch()
        .map(make_batch, num_parallel_calls=PARALLEL_CALLS)
        .prefetch(_PREFETCH)
        .apply(tf.data.experimental.assert_cardinality(steps))
        .with_options(dataset_options())
    )
