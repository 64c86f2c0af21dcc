"""TensorFlow Datasets: CIFAR-10 and every other image-classification set by its name."""

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kcnn.data.catalogue import SOURCES
from kcnn.data.examples import Examples
from kcnn.data.records import RecordIndex, scan
from kcnn.data.sources import Opened, check_image_size
from kcnn.errors import unknown

_CONNECT_SECONDS = 3
_PORTS = {"http": 80, "https": 443, "ftp": 21}

logger = logging.getLogger("kcnn")


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
        """Check the size."""
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
        with _quiet():
            builder = _builder(self.name, data_dir)
            image_key, label_key = _keys(builder)
            shape = self._shape(builder.info.features[image_key])
            if not builder.is_prepared():
                _download(builder)
        train = self._examples(builder, "train", image_key, label_key, shape)
        class_names = tuple(builder.info.features[label_key].names)
        for split in ("test", "validation"):
            if split in builder.info.splits:
                test = self._examples(builder, split, image_key, label_key, shape)
                if (test.labels >= 0).all():  # -1: the labels of a test set are kept secret.
                    return Opened(train, test, class_names)
        return Opened(train, None, class_names)

    def _shape(self, image: tfds.features.Image) -> tuple[int, int, int]:
        height, width, channels = image.shape
        if channels not in (1, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"Data set {self.name!r} has {channels} channels of {np.dtype(image.dtype)}; only "
                "images of 1 or 3 channels of uint8 can be read."
            )
        if self.image_size is not None:
            height, width = self.image_size
        if height is None or width is None:
            raise ValueError(
                f"Images of data set {self.name!r} differ in size. Give all one size: "
                f"kcnn.data.load(kcnn.data.Tfds({self.name!r}, image_size=(64, 64)))."
            )
        return height, width, channels

    def _examples(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str,
        image_key: str,
        label_key: str,
        shape: tuple[int, int, int],
    ) -> Examples:
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


def _builder(name: str, data_dir: str | os.PathLike | None) -> tfds.core.DatasetBuilder:
    try:
        data_dir = None if data_dir is None else os.path.expanduser(data_dir)
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = get_close_matches(name, known, n=3)
        raise unknown("data set", name, {*SOURCES, *close}) from None
    except (AssertionError, ImportError, ValueError) as error:
        raise ValueError(
            f"TensorFlow Datasets cannot build data set {name!r}: {_first_line(error)}"
        ) from error


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


def _download(builder: tfds.core.DatasetBuilder) -> None:
    advice = (
        "Pass data_dir (--data-dir) or set TFDS_DATA_DIR to the folder of a prepared copy, or use "
        "'digits', which needs no download."
    )
    root = Path(builder.data_path).parents[builder.info.full_name.count("/")]
    where = f"Data set {builder.name!r} is not in {str(root)!r}"
    unreachable = _unreachable_host(builder, root / "downloads")
    if unreachable:
        raise RuntimeError(f"{where} and {unreachable} cannot be reached. {advice}")
    logger.info("Downloading data set %r to %s, once.", builder.name, builder.data_path)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare()
    except (
        Exception
    ) as error:  # tfds, requests, gfile and each set's own code raise what they like.
        raise RuntimeError(
            f"{where} and preparing it failed: {_first_line(error)} {advice}"
        ) from error


def _unreachable_host(builder: tfds.core.DatasetBuilder, downloads: Path) -> str | None:
    """Return a host if none of those the set comes from answers; tfds would retry for minutes."""
    if getproxies() or any(downloads.rglob("*.INFO")):  # The proxy decides, or files are there.
        return None
    urls = [urlsplit(url) for url in builder.url_infos or ()]
    hosts = {url.hostname: _PORTS.get(url.scheme, 443) for url in urls if url.hostname}
    for address in hosts.items():
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            return None
    return next(iter(hosts), None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep tfds's warnings about folders that are not there yet off the terminal."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        yield
    finally:
        absl.setLevel(level)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
