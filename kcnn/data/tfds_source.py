"""TensorFlow Datasets: CIFAR-10 and every other image-classification set by its name."""

import os
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kcnn.data import tfds_builder
from kcnn.data.examples import Examples
from kcnn.data.records import RecordIndex, scan
from kcnn.data.sources import Opened, check_image_size


@dataclass(frozen=True)
class Tfds:
    """An image-classification set of TensorFlow Datasets, downloaded at its first use.

    Catalogue: https://www.tensorflow.org/datasets/catalog/overview#image_classification

    Attributes:
        name: As tfds writes it: "cifar10", "svhn_cropped", "mnist_corrupted/fog".
        image_size: (height, width) that every image is resized to. Needed where images differ in
            size; None keeps the size they all have.
        mirror: Whether a mirror image still belongs to its class. Say False for digits and text.
    """

    name: str
    image_size: tuple[int, int] | None = None
    mirror: bool = True

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_image_size(self.image_size)

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Find the prepared set, or download it, and read its labels.

        Args:
            data_dir: Where tfds keeps its sets. None means the environment variable
                TFDS_DATA_DIR, else tfds's own default, ~/tensorflow_datasets.

        Raises:
            ValueError: If the name is unknown, the set is no image classification, or images
                differ in size and `image_size` is None.
            RuntimeError: If the set is not there and cannot be downloaded, or is damaged.
        """
        builder = tfds_builder.find(self.name, data_dir)
        keys = _keys(builder)
        shape = self._shape(builder.info.features[keys[0]])
        tfds_builder.prepare(builder)
        splits = ", ".join(builder.info.splits)
        if "train" not in builder.info.splits:
            raise ValueError(f"Data set {self.name!r} has no train split. Received: {splits}.")
        train = self._examples(builder, "train", keys, shape)
        class_names = tuple(builder.info.features[keys[1]].names)
        for split in ("test", "validation"):
            if split in builder.info.splits:
                test = self._examples(builder, split, keys, shape)
                if (test.labels >= 0).all():  # -1: the labels of a test set are kept secret.
                    return Opened(train, test, class_names)
        return Opened(train, None, class_names)

    def _shape(self, image: tfds.features.Image) -> tuple[int, int, int]:
        height, width, channels = image.shape
        dtype = np.dtype(image.np_dtype)
        if channels not in (1, 3) or dtype != np.uint8:
            raise ValueError(
                f"Data set {self.name!r} has images of {channels} channels of {dtype}; 1 or 3 "
                "channels of uint8 can be read."
            )
        if self.image_size is not None:
            height, width = self.image_size
        if height is None or width is None:
            raise ValueError(
                f"Images of data set {self.name!r} differ in size. Give all one size: "
                f"kcnn.data.load(kcnn.data.Tfds({self.name!r}, image_size=(64, 64))), or to kcnn "
                "run --set data.image_size='[64, 64]'."
            )
        return height, width, channels

    def _examples(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str,
        keys: tuple[str, str],
        shape: tuple[int, int, int],
    ) -> Examples:
        image_key, label_key = keys
        index, labels = _index(builder, split, label_key)
        features = {image_key: tf.io.FixedLenFeature([], tf.string)}

        def decode(encoded: tf.Tensor) -> tf.Tensor:
            image = tf.io.decode_image(encoded, shape[-1], expand_animations=False)
            if self.image_size is not None:
                image = tf.image.resize(image, self.image_size, antialias=True)
                image = tf.saturate_cast(tf.round(image), tf.uint8)
            return tf.ensure_shape(image, shape)

        def fetch(indices: tf.Tensor) -> tf.Tensor:
            records = tf.numpy_function(index.read, [indices], tf.string, stateful=False)
            encoded = tf.io.parse_example(tf.ensure_shape(records, indices.shape), features)
            return tf.map_fn(decode, encoded[image_key], fn_output_signature=tf.uint8)

        return Examples(labels, shape, fetch)


def _keys(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """Return the names of the image and of the label among the features."""
    features = builder.info.features
    keys = builder.info.supervised_keys
    named = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    if keys is not None and len(keys) == 2 and all(isinstance(key, str) for key in keys):
        image, label = (named.get(key) for key in keys)
        if isinstance(image, tfds.features.Image) and isinstance(label, tfds.features.ClassLabel):
            return keys
    raise ValueError(
        f"Data set {builder.name!r} is no image classification: it does not pair one image with "
        f"one class label. Received features: {', '.join(named)}."
    )


def _index(
    builder: tfds.core.DatasetBuilder, split: str, label_key: str
) -> tuple[RecordIndex, np.ndarray]:
    """Return where the records of a split lie and their labels, int32."""
    if builder.info.file_format is not tfds.core.FileFormat.TFRECORD:
        raise RuntimeError(
            f"Data set {builder.name!r} was prepared as {builder.info.file_format.value} in "
            f"{str(builder.data_path)!r}; TFRecord files can be read. Prepare it again."
        )
    paths = tuple(os.fspath(path) for path in builder.info.splits[split].filepaths)
    places, labels = [], []
    for file, path in enumerate(paths):
        for offset, record in scan(path):
            feature = tf.train.Example.FromString(record).features.feature[label_key]
            labels.append(feature.int64_list.value[0])
            places.append((file, offset, len(record)))
    files, offsets, lengths = np.array(places, np.int64).reshape(-1, 3).T
    return RecordIndex(paths, files, offsets, lengths), np.array(labels, np.int32)
