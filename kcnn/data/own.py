"""The data sets of other libraries as `Data`."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import tensorflow as tf

from kcnn.data.checks import check_labels, number_classes
from kcnn.data.classes import check_names, check_several, warn_of_missing
from kcnn.data.labelled import LabelledImages
from kcnn.data.loading import Data
from kcnn.data.own_batches import (
    Batch,
    class_numbers,
    in_batches,
    is_one_hot,
    own_names,
    read_batches,
)

logger = logging.getLogger("kcnn")


def from_dataset(
    train: Any,
    validation: Any,
    test: Any = None,
    *,
    class_names: Sequence[str] | None = None,
) -> Data:
    """Make a data set of batches that another library reads, shuffles and augments.

    Each is a `tf.data.Dataset` of (images, labels) or (images, labels, weights), batched or not, a
    Keras `PyDataset`, a PyTorch `DataLoader`, or a pair of arrays. Images are raw pixels of 0 to
    255, [B, H, W, C]; those of PyTorch may be [B, C, H, W]. Series and voxels are numbers of any
    range. Labels are class numbers or one-hot.
    Each part is read once, to count and to check it. Training goes over `train` as it is, again in
    each epoch. For arrays, `from_arrays` also splits, shuffles and augments.

    Args:
        train: Training batches. Labels may be shares of several classes, and weights are of the
            images in the loss.
        validation: Validation batches; everything is chosen on them.
        test: Test batches, to be scored once; None for no test images.
        class_names: One name a class; by default those that `train` has, as Keras's
            `image_dataset_from_directory` and PyTorch's `ImageFolder` do, else the numbers.

    Raises:
        ValueError: If a part is something else, has no batch, does not end, or its images or labels
            do not fit the others.

    >>> images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    >>> dataset = tf.data.Dataset.from_tensor_slices((images, np.eye(3)[np.arange(60) % 3]))
    >>> data = from_dataset(dataset.skip(20).batch(8), dataset.take(20))
    >>> data.steps_per_epoch, data.num_train, data.num_validation, data.class_names
    (5, 40, 20, ('0', '1', '2'))
    """
    if train is None or validation is None:
        raise ValueError(
            "train and validation batches are needed, as everything is chosen on the latter; "
            "kcnn.data.from_arrays cuts validation images off."
        )
    given = {"train": train, "validation": validation, "test": test}
    facts = {name: _Facts.of(part, name) for name, part in given.items() if part is not None}
    names = _class_names(facts, own_names(train) if class_names is None else class_names)
    shapes = {name: each.image_shape for name, each in facts.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"Images of all parts must have one shape. Received: {shapes}.")
    parts = {
        name: _dataset(given[name], each, training=name == "train") for name, each in facts.items()
    }
    test_batches = parts.get("test", parts["validation"].take(0))
    cast("Any", test_batches).holds_test_images = True  # export refuses to calibrate on them
    return Data(
        train=parts["train"],
        validation=parts["validation"],
        test=test_batches,
        calibration=parts["train"].map(lambda *batch: batch[:2]),
        class_names=names,
        image_shape=facts["train"].image_shape,
        num_train=facts["train"].count,
        num_validation=facts["validation"].count,
        num_test=facts["test"].count if "test" in facts else 0,
        steps_per_epoch=facts["train"].steps,
    )


@dataclass(frozen=True)
class _Facts:
    """What one pass over batches has shown.

    Attributes:
        count: Number of images.
        steps: Number of batches.
        image_shape: (height, width, channels).
        classes: Class numbers that occur, sorted.
        most: Number of classes, as far as one-hot labels or the highest number show.
        soft: Whether labels are shares of several classes.
        weighted: Whether the images have weights.
        pixels: Whether these are images with values from 0 to 255, some above 1.
    """

    count: int
    steps: int
    image_shape: tuple[int, int, int]
    classes: np.ndarray
    most: int
    soft: bool
    weighted: bool
    pixels: bool

    @classmethod
    def of(cls, source: Any, name: str) -> "_Facts":
        if (
            hasattr(source, "cardinality")
            and int(source.cardinality()) == tf.data.INFINITE_CARDINALITY
        ):
            raise ValueError(f"The {name} batches never end: end them with .take(steps).")
        shapes, labels, steps, soft, weighted = set(), [], 0, False, False
        low, high = np.inf, -np.inf
        most = 0
        for batch in read_batches(source):
            shapes.add(batch.images.shape[1:])
            soft |= batch.labels.ndim == 2 and not is_one_hot(batch.labels)
            one_hot = batch.labels.ndim == 2
            most = max(most, batch.labels.shape[1] if one_hot else 0)
            labels.append(batch.labels.argmax(axis=1) if one_hot else class_numbers(batch.labels))
            low, high = min(low, batch.images.min()), max(high, batch.images.max())
            weighted |= batch.weights is not None
            steps += 1
        if not steps:
            raise ValueError(f"The {name} batches are empty.")
        if len(shapes) > 1:
            raise ValueError(f"The {name} images must have one size. Received: {sorted(shapes)}.")
        joined = np.concatenate(labels)
        joined = check_labels(f"{name} labels", joined, len(joined), most or None)
        shape = shapes.pop()
        pixels = len(shape) == 3 and bool(0 <= low and 1 < high <= 255)  # no series, no voxels
        most = most or int(joined.max()) + 1
        found = np.unique(joined)
        return cls(len(joined), steps, shape, found, most, soft, weighted, pixels)


def _class_names(facts: dict[str, _Facts], given: Sequence[str] | None) -> tuple[str, ...]:
    most = max(each.most for each in facts.values())
    if given is None:
        names = tuple(map(str, range(most)))
        number_classes({name: each.classes for name, each in facts.items()})
    else:
        names = tuple(map(str, given))
        check_names(names)
        if len(names) < most:
            raise ValueError(
                f"The labels are of {most} classes. Received: {len(names)} class_names."
            )
    check_several(names)
    for name, each in facts.items():
        if name != "train" and each.soft:
            raise ValueError(f"The {name} labels must be class numbers or one-hot.")
        images = LabelledImages(np.empty((len(each.classes), 0)), each.classes)
        warn_of_missing(names, **{name: images})
    return names


def _dataset(source: Any, facts: _Facts, *, training: bool) -> tf.data.Dataset:
    """Return the batches as a `tf.data.Dataset` of images, labels and, in training, weights."""
    if isinstance(source, tf.data.Dataset):
        batches = in_batches(source).map(_in_tensorflow(facts, training=training))
    else:
        change = _changed(facts, training=training)
        first = next(_changed_batches(source, change))
        signature = tuple(tf.TensorSpec((None, *each.shape[1:]), each.dtype) for each in first)
        batches = tf.data.Dataset.from_generator(
            lambda: _changed_batches(source, change), output_signature=signature
        )
    return batches.apply(tf.data.experimental.assert_cardinality(facts.steps))


def _in_tensorflow(facts: _Facts, *, training: bool) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Return the same change of a batch as `_changed`, for tensors."""

    @tf.autograph.experimental.do_not_convert
    def change(images: tf.Tensor, labels: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if facts.pixels and images.dtype != tf.uint8:
            images = tf.cast(tf.round(tf.cast(images, tf.float32)), tf.uint8)
        elif images.dtype != tf.uint8:
            images = tf.cast(images, tf.float32)
        images = tf.ensure_shape(images, (None, *facts.image_shape))
        if facts.soft:
            labels = tf.cast(labels, tf.float32)
        elif labels.shape.rank == 2 and labels.shape[1] != 1:
            labels = tf.argmax(labels, axis=1, output_type=tf.int32)
        else:
            labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
        return images, labels, *[tf.cast(each, tf.float32) for each in weights if training]

    return change


def _changed_batches(
    source: Any, change: Callable[[Batch], tuple[np.ndarray, ...]]
) -> Iterator[tuple[np.ndarray, ...]]:
    yield from map(change, read_batches(source))
    if hasattr(source, "on_epoch_end"):
        source.on_epoch_end()


def _changed(facts: _Facts, *, training: bool) -> Callable[[Batch], tuple[np.ndarray, ...]]:
    def change(batch: Batch) -> tuple[np.ndarray, ...]:
        images = batch.images
        if facts.pixels and images.dtype != np.uint8:
            images = np.rint(images).astype(np.uint8)
        elif images.dtype != np.uint8:
            images = images.astype(np.float32)
        if facts.soft:
            labels = batch.labels.astype(np.float32)
        else:
            labels = class_numbers(batch.labels).astype(np.int32)
        weights = (np.asarray(batch.weights, np.float32),) if training and facts.weighted else ()
        return images, labels, *weights

    return change
