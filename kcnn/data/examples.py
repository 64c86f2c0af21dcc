"""Labelled images for TensorFlow, fetched in any order, from RAM or from the disk."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import tensorflow as tf

from kcnn.data.checks import check_labels
from kcnn.data.labelled import ImageReader, LabelledImages

PARALLEL_CALLS = 2
"""A fixed number, because tf.data's own tuning takes cores from the training and delays its end."""

_READ_BATCH = 512


def dataset_options() -> tf.data.Options:
    """Return the options of every dataset of kcnn: reproducible order and no autotune thread."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return options


def in_main_memory(array: np.ndarray) -> tf.Tensor:
    """Return a tensor in the CPU's memory, where tf.data runs, also on a machine with a GPU."""
    with tf.device("CPU"):
        return tf.constant(array)


@dataclass(frozen=True)
class Examples:
    """Labels in RAM, and images that are fetched by their index.

    A random order, a split and a limit are then the same thing, an array of indices, no matter
    whether `fetch` gathers from RAM or decodes files.

    Attributes:
        labels: int32 [N].
        image_shape: (height, width, channels) of every image.
        fetch: A TensorFlow function from int64 indices [B] to uint8 images [B, H, W, C].
    """

    labels: np.ndarray
    image_shape: tuple[int, int, int]
    fetch: Callable[[tf.Tensor], tf.Tensor]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @classmethod
    def from_arrays(cls, images: np.ndarray, labels: np.ndarray) -> Self:
        """Hold uint8 images [N, H, W, C] and their labels [N] in RAM.

        Raises:
            ValueError: If a label is no integer of at least 0.
        """
        labels = check_labels("labels", labels, len(images), None)
        held = in_main_memory(images)

        def fetch(indices: tf.Tensor) -> tf.Tensor:
            return tf.gather(held, indices)

        return cls(labels, images.shape[1:], fetch)

    @classmethod
    def from_reader(cls, reader: ImageReader) -> Self:
        """Let TensorFlow call a reader that returns NumPy arrays."""

        def fetch(indices: tf.Tensor) -> tf.Tensor:
            images = tf.numpy_function(reader.read, [indices], tf.uint8, stateful=False)
            return tf.ensure_shape(images, (indices.shape[0], *reader.image_shape))

        return cls(reader.labels, reader.image_shape, fetch)

    @property
    def num_bytes(self) -> int:
        """Size of the decoded images."""
        return len(self) * int(np.prod(self.image_shape))

    def subset(self, indices: np.ndarray) -> Self:
        """Return the examples at `indices`, in that order. Nothing is read or copied."""
        kept = in_main_memory(indices)

        def fetch(positions: tf.Tensor) -> tf.Tensor:
            return self.fetch(tf.gather(kept, positions))

        return type(self)(self.labels[indices], self.image_shape, fetch)

    def decoded(self) -> LabelledImages:
        """Read every image once into an array.

        Raises:
            ValueError: If an image cannot be decoded.
        """
        images = np.empty((len(self), *self.image_shape), np.uint8)
        batches = (
            tf.data.Dataset.range(len(self))
            .batch(_READ_BATCH)
            .map(self.fetch, num_parallel_calls=PARALLEL_CALLS)
            .with_options(dataset_options())
        )
        start = 0
        try:
            for batch in batches:
                images[start : start + len(batch)] = batch
                start += len(batch)
        except tf.errors.OpError as error:
            raise ValueError(_reason(error)) from None
        return LabelledImages(images, self.labels)


def as_examples(part: Examples | ImageReader | LabelledImages) -> Examples:
    """Return the same images and labels for TensorFlow."""
    match part:
        case LabelledImages():
            return Examples.from_arrays(part.images, part.labels)
        case ImageReader():
            return Examples.from_reader(part)
    return part


def _reason(error: tf.errors.OpError) -> str:
    """Return one line: the message of our own reader, or else the end of TensorFlow's first."""
    own = re.search(r"^.*?ValueError: (.*)$", error.message, re.MULTILINE)
    if own:
        return own[1]
    place, _, text = error.message.partition("Iterator::Root::ParallelMapV2: ")
    return f"An image cannot be decoded: {(text or place).splitlines()[0]}"
