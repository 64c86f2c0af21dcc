"""Batches as `tf.data.Dataset`: training images in random order and augmented, others in order."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from kcnn.data import draws
from kcnn.data.augment import Augmentation
from kcnn.data.examples import PARALLEL_CALLS, Examples, dataset_options, in_main_memory
from kcnn.data.mixing import Mixing
from kcnn.data.sampling import Sampling, balanced_places

_PREFETCH = 2
# These functions consist of TensorFlow's operations. Translating them for the sake of Python's `if`
# and `for` on tensors would take seconds.
_as_it_is = tf.autograph.experimental.do_not_convert


def in_order(examples: Examples, batch_size: int) -> tf.data.Dataset:
    """Return all images as they are, in their own order; the last batch may be smaller."""
    labels = in_main_memory(examples.labels)

    @_as_it_is
    def make_batch(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return examples.fetch(indices), tf.gather(labels, indices)

    return (
        tf.data.Dataset.range(len(examples))
        .batch(batch_size)
        .map(make_batch, num_parallel_calls=PARALLEL_CALLS)
        .prefetch(_PREFETCH)
        .with_options(dataset_options())
    )


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Training images in random order, augmented, in full batches.

    A batch follows from (seed, epoch, step) alone. A stopped training can therefore go on without
    restoring the state of a generator.

    Attributes:
        examples: The training images and their labels.
        batch_size: Images a batch; what is left over is in another epoch's batches.
        seed: Decides the order and every random change.
        augment: Changes the images of a batch.
        mix: Mixes the images of a batch, and their labels.
        sampling: Whether an epoch has each image once, or as many of every class.
    """

    examples: Examples
    batch_size: int
    seed: int
    augment: Augmentation
    mix: Mixing
    sampling: Sampling = "uniform"

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches."""
        return len(self.examples) // self.batch_size

    @cached_property
    def _iterated(self) -> tf.Variable:
        """The epoch that the next iteration over `train` yields."""
        with tf.device("CPU"):  # as `in_main_memory` does
            return tf.Variable(tf.zeros([], tf.int64), trainable=False)

    def begin_train_at(self, epoch: int) -> None:
        """Let the next iteration over `train` yield this epoch, and later ones those after it."""
        self._iterated.assign(epoch)

    @cached_property
    def train(self) -> tf.data.Dataset:
        """One epoch. The first iteration yields epoch 0, the next one epoch 1, and so on."""
        iterated = self._iterated
        numbers = tf.data.Dataset.from_tensors(0).map(
            _as_it_is(lambda _: iterated.assign_add(1) - 1)
        )
        steps = tf.data.experimental.assert_cardinality(self.steps_per_epoch)
        return self._of_epochs(numbers).apply(steps).with_options(dataset_options())

    def batches(self, epoch: int = 0, step: int = 0) -> tf.data.Dataset:
        """Return all batches from this step of this epoch on, without end."""
        skipped, step = divmod(step, self.steps_per_epoch)
        numbers = tf.data.Dataset.counter(epoch + skipped)
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return self._of_epochs(numbers, step).apply(endless).with_options(dataset_options())

    def _of_epochs(self, numbers: tf.data.Dataset, first_step: int = 0) -> tf.data.Dataset:
        """Return the batches of these epochs. For skipped ones, no image is read or changed."""
        labels = in_main_memory(self.examples.labels)
        # For "alternating": where this is 1, the odd epochs mirror the image; else the even ones.
        random = np.random.default_rng(self.seed)
        sides = in_main_memory(random.integers(0, 2, len(self.examples)))

        @_as_it_is
        def make_batch(
            indices: tf.Tensor, batch_seed: tf.Tensor, number: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.gather(sides, indices) == tf.math.floormod(number, 2)
            images = self.augment(self.examples.fetch(indices), batch_seed, turned)
            return self.mix(images, tf.gather(labels, indices), batch_seed)

        return (
            numbers.map(self._draw)
            .unbatch()
            .skip(first_step)
            .map(make_batch, num_parallel_calls=PARALLEL_CALLS)
            .prefetch(_PREFETCH)
        )

    @_as_it_is
    def _draw(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draw an epoch: indices [steps, B], a seed [steps, 2], and the epoch's number [steps]."""
        count, steps = len(self.examples), self.steps_per_epoch
        seeds = draws.split([self.seed, number], steps + 1)
        order = draws.shuffle(tf.range(count, dtype=tf.int64), seeds[0])
        if self.sampling == "balanced":
            order = self._balanced(order, steps * self.batch_size, draws.fold_in(seeds[0], 1))
        order = tf.reshape(order[: steps * self.batch_size], [steps, self.batch_size])
        return order, seeds[1:], tf.repeat(number, steps)

    def _balanced(self, order: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
        """Return `size` of the images in this random order, as many of every class, shuffled."""
        labels = tf.gather(in_main_memory(self.examples.labels), order)
        by_class = tf.gather(order, tf.argsort(labels, stable=True))
        places = in_main_memory(balanced_places(self.examples.labels, size))
        return draws.shuffle(tf.gather(by_class, places), seed)
