"""Input pipelines: that of kcnn, and those that people write."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import networks
from benchmarks.contestants import BORDER, FOREVER
from benchmarks.race import Spec
from benchmarks.turns import Turns

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data

_SHUFFLE_BUFFER = 10_000


def feed_kcnn(spec: Spec, turns: Turns) -> None:
    """Iterate the training images of `kcnn.data`."""
    _feed(load(spec).train.repeat(), spec, turns)


def feed_keras_map(spec: Spec, turns: Turns) -> None:
    """Iterate `keras_map`."""
    _feed(keras_map(*networks.arrays(Path(spec.folder)), spec.batch).repeat(), spec, turns)


def feed_keras_batches(spec: Spec, turns: Turns) -> None:
    """Iterate `keras_batches`."""
    _feed(keras_batches(*networks.arrays(Path(spec.folder)), spec.batch).repeat(), spec, turns)


def feed_tf_image_map(spec: Spec, turns: Turns) -> None:
    """Iterate `tf_image_map`."""
    _feed(tf_image_map(*networks.arrays(Path(spec.folder)), spec.batch).repeat(), spec, turns)


def feed_torch(spec: Spec, turns: Turns) -> None:
    """Iterate the batches that train PyTorch."""
    from benchmarks.contestants.pytorch import batches

    _feed(batches(*networks.arrays(Path(spec.folder)), spec.batch, spec.seed), spec, turns)


def load(spec: Spec) -> "Data":
    """Return the images as kcnn feeds them."""
    from kcnn import data

    images = networks.Images(Path(spec.folder))
    return data.load(images, batch_size=spec.batch, seed=spec.seed)


def endless(data: "Data") -> "Data":
    """Return data whose epoch never ends, so that validation never starts either."""
    return dataclasses.replace(data, steps_per_epoch=FOREVER)


def keras_map(images: np.ndarray, labels: np.ndarray, batch: int) -> "tf.data.Dataset":
    """Return `keras.layers.Random*` applied to single examples."""
    import keras
    import tensorflow as tf

    height, width, _ = images.shape[1:]
    # One by one: in a Sequential they run in tf.data on the TensorFlow backend only.
    crop = keras.layers.RandomCrop(height, width)
    flip = keras.layers.RandomFlip("horizontal")

    def augment(image: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(image, [[BORDER, BORDER], [BORDER, BORDER], [0, 0]])
        return flip(crop(padded[None], training=True), training=True)[0]

    return _mapped(images, labels, batch, augment)


def keras_batches(images: np.ndarray, labels: np.ndarray, batch: int) -> "tf.data.Dataset":
    """Return `keras.layers.Random*` applied to batches.

    RandomTranslation replaces RandomCrop, which draws one window for the whole batch.
    """
    import keras
    import tensorflow as tf

    height, width, _ = images.shape[1:]
    augment = keras.Sequential(
        [
            keras.layers.RandomTranslation(
                BORDER / height, BORDER / width, fill_mode="constant", interpolation="nearest"
            ),
            keras.layers.RandomFlip("horizontal"),
        ]
    )
    return (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .shuffle(_SHUFFLE_BUFFER)
        .batch(batch, drop_remainder=True)
        .map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def tf_image_map(images: np.ndarray, labels: np.ndarray, batch: int) -> "tf.data.Dataset":
    """Return `tf.image`'s random crop and flip applied to single examples."""
    import tensorflow as tf

    def augment(image: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(image, [[BORDER, BORDER], [BORDER, BORDER], [0, 0]])
        return tf.image.random_flip_left_right(tf.image.random_crop(padded, image.shape))

    return _mapped(images, labels, batch, augment)


def _mapped(
    images: np.ndarray, labels: np.ndarray, batch: int, augment: Callable[[Any], Any]
) -> "tf.data.Dataset":
    import tensorflow as tf

    return (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .shuffle(_SHUFFLE_BUFFER)
        .map(lambda x, y: (augment(x), y), num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _feed(batches: Iterable, spec: Spec, turns: Turns) -> None:
    for images, _ in batches:
        turns.step(len(images))
