"""Read a prepared set of TensorFlow Datasets: its labels at once, its images when needed."""

import os
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kcnn.data import labelled, tfds_builder, tfds_index
from kcnn.data.examples import Examples
from kcnn.data.opened import Opened

ImageSize = tuple[int, int] | None


def prepared(
    name: str, image_size: ImageSize, data_dir: str | os.PathLike | None
) -> tfds.core.DatasetBuilder:
    """Return the builder of a set, downloaded if need be; see `Tfds.open`."""
    builder = tfds_builder.find(name, data_dir)
    if None in _shape(builder, image_size):  # before hours of downloading
        raise ValueError(
            f"Images of data set {name!r} differ in size. Give all one size: "
            f"kcnn.data.load({name!r}, image_size=(64, 64)), or to kcnn run --set "
            "data.image_size='[64, 64]'."
        )
    tfds_builder.prepare(builder)
    return builder


def read(builder: tfds.core.DatasetBuilder, image_size: ImageSize) -> Opened:
    """Read the labels of a prepared set; see `Tfds.open`."""
    splits = ", ".join(builder.info.splits)
    if "train" not in builder.info.splits:
        raise ValueError(f"Data set {builder.name!r} has no train split. Received: {splits}.")
    train = _examples(builder, "train", image_size)
    class_names = tuple(_features(builder).label.names)
    for split in ("test", "validation"):
        if split in builder.info.splits:
            test = _examples(builder, split, image_size)
            if (test.labels >= 0).all():  # -1 where the labels of a test set are secret
                return Opened(train, test, class_names)
    return Opened(train, None, class_names)


class _Features(NamedTuple):
    """The image and the label of a set, and the names that its records have for them."""

    image_key: str
    image: Any  # tfds.features.Image, whose annotations are looser than what it returns
    label_key: str
    label: tfds.features.ClassLabel


def _shape(
    builder: tfds.core.DatasetBuilder, image_size: ImageSize
) -> tuple[int | None, int | None, int]:
    """Return height, width and channels; None for sizes that differ from image to image."""
    image = _features(builder).image
    height, width, channels = image.shape
    dtype = np.dtype(image.np_dtype)
    if channels not in (1, 3) or dtype != np.uint8:
        raise ValueError(
            f"Data set {builder.name!r} has images of {channels} channels of {dtype}; 1 or 3 "
            "channels of uint8 can be read."
        )
    if image_size is not None:
        height, width = image_size
    return height, width, channels


def _examples(builder: tfds.core.DatasetBuilder, split: str, image_size: ImageSize) -> Examples:
    image_key, _, label_key, label = _features(builder)
    shape = cast("tuple[int, int, int]", _shape(builder, image_size))  # as `prepared` checked
    large = _is_large(builder, shape)
    index, labels = tfds_index.index(builder, split, label_key, label.num_classes, keep=large)
    features = {image_key: tf.io.FixedLenFeature([], tf.string)}

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(encoded, shape[-1], expand_animations=False)
        if image_size is not None:
            image = tf.image.resize(image, image_size, antialias=True)
            image = tf.saturate_cast(tf.round(image), tf.uint8)
        return tf.ensure_shape(image, shape)

    def fetch(indices: tf.Tensor) -> tf.Tensor:
        records = tf.numpy_function(index.read, [indices], tf.string, stateful=False)
        encoded = tf.io.parse_example(tf.ensure_shape(records, indices.shape), features)
        return tf.map_fn(decode, encoded[image_key], fn_output_signature=tf.uint8)

    return Examples(labels, shape, fetch)


def _features(builder: tfds.core.DatasetBuilder) -> _Features:
    features = builder.info.features
    named = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    match builder.info.supervised_keys:
        case (str(image_key), str(label_key)):
            image, label = named.get(image_key), named.get(label_key)
            if isinstance(image, tfds.features.Image) and isinstance(
                label, tfds.features.ClassLabel
            ):
                return _Features(image_key, image, label_key, label)
    raise ValueError(
        f"Data set {builder.name!r} is no image classification: it does not pair one image with "
        f"one class label. Received features: {', '.join(named)}."
    )


def _is_large(builder: tfds.core.DatasetBuilder, shape: tuple[int, int, int]) -> bool:
    """Return whether the images take more memory than kcnn holds in RAM."""
    count = sum(split.num_examples or 0 for split in builder.info.splits.values())
    return count * int(np.prod(shape)) > labelled.RAM_LIMIT
