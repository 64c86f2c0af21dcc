"""Batches as `tf.data.Dataset`: training images in random order and augmented, others in order."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from kcnn.data.augment import Augmentation
from kcnn.data.examples import PARALLEL_CALLS, Examples, dataset_options, in_main_memory
from kcnn.data.mixing import Mixing

_PREFETCH = 2


def in_order(examples: Examples, batch_size: int) -> tf.data.Dataset:
    """Return all images as they are, in their own order; the last batch may be smaller."""
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


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Training images in random order, augmented, in full batches.

    The content of a batch follows from (seed, epoch, step) alone: there is no generator whose
    state had to be restored to go on in the middle of a training.

    Attributes:
        examples: The training images and their labels.
        batch_size: Images a batch; what is left over is in another epoch's batches.
        seed: Decides the order and every random change.
        augment: Changes the images of a batch.
        mix: Mixes the images of a batch, and their labels.
    """

    examples: Examples
    batch_size: int
    seed: int
    augment: Augmentation
    mix: Mixing

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches."""
        return len(self.examples) // self.batch_size

    @cached_property
    def train(self) -> tf.data.Dataset:
        """One epoch: epoch 0 when it is iterated first, then epoch 1, and so on."""
        with tf.device("CPU"):  # as in in_main_memory
            iterated = tf.Variable(0, trainable=False, dtype=tf.int64)
        numbers = tf.data.Dataset.from_tensors(0).map(lambda _: iterated.assign_add(1) - 1)
        steps = tf.data.experimental.assert_cardinality(self.steps_per_epoch)
        return self._of_epochs(numbers).apply(steps).with_options(dataset_options())

    def batches(self, epoch: int | tf.Variable = 0, step: int = 0) -> tf.data.Dataset:
        """Return all batches from this step of this epoch on, without end.

        A variable is read whenever an iteration begins.
        """
        skipped, step = divmod(step, self.steps_per_epoch)
        numbers = tf.data.Dataset.from_tensors(0).flat_map(
            lambda _: tf.data.Dataset.counter(tf.cast(epoch, tf.int64) + skipped)
        )
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return self._of_epochs(numbers, step).apply(endless).with_options(dataset_options())

    def _of_epochs(self, numbers: tf.data.Dataset, first_step: int = 0) -> tf.data.Dataset:
        """Return the batches of the numbered epochs; only indices of skipped ones are made."""
        labels = in_main_memory(self.examples.labels)
        # Which images are mirrored in the odd epochs; in the even ones it is the others.
        draws = np.random.default_rng(self.seed).integers(0, 2, len(self.examples))
        sides = in_main_memory(draws)

        def make_batch(
            indices: tf.Tensor, batch_seed: tf.Tensor, number: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.gather(sides, indices) == number % 2
            images = self.augment(self.examples.fetch(indices), batch_seed, turned)
            return self.mix(images, tf.gather(labels, indices), batch_seed)

        return (
            numbers.map(self._draw)
            .unbatch()
            .skip(first_step)
            .map(make_batch, num_parallel_calls=PARALLEL_CALLS)
            .prefetch(_PREFETCH)
        )

    def _draw(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draw an epoch: indices [steps, B], a seed [steps, 2], and the epoch's number [steps]."""
        count, steps = len(self.examples), self.steps_per_epoch
        seeds = tf.random.split([self.seed, number], steps + 1)
        order = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seeds[0])
        order = tf.reshape(order[: steps * self.batch_size], [steps, self.batch_size])
        return order, seeds[1:], tf.repeat(number, steps)
