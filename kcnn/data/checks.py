"""Checks of images and labels before anything is cast or trained: types, ranges, numbers."""

import logging
import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from kcnn.errors import listed

DataSet = TypeVar("DataSet")

logger = logging.getLogger("kcnn")

_LOOKED_AT = 64


def check_labels(
    name: str, labels: np.ndarray, count: int, num_classes: int | None, *, lowest: int = 0
) -> np.ndarray:
    """Return class numbers as int32 [count]. Nothing is cast before it is checked.

    Args:
        name: What a message calls the labels, such as "train_labels".
        labels: What a source gave.
        count: The number of images.
        num_classes: The number of classes; None if the labels alone say it.
        lowest: The smallest label: -1 for a test set whose labels may be secret.

    Raises:
        ValueError: If a label is no integer of a class; its place and value are named.

    >>> check_labels("labels", np.array([0, 2**32 + 1]), 2, 10)
    Traceback (most recent call last):
    ValueError: labels must be 2 class numbers of 0 to 9. Received: labels[1] = 4294967297
    """
    labels = np.asarray(labels)
    highest = (np.iinfo(np.int32).max if num_classes is None else num_classes) - 1
    classes = f" of {lowest} to {highest}" if num_classes is not None else ""
    expected = f"{name} must be {count} class numbers{classes}"
    if labels.shape != (count,):
        raise ValueError(f"{expected}. Received: {labels.dtype} of shape {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        fractions = (place for place in range(count) if not _is_whole(labels[place]))
        place = next(fractions, 0)
        value = f", {name}[{place}] = {labels[place]}" if count else ""
        raise ValueError(f"{expected}, as integers. Received: {labels.dtype}{value}")
    wrong = np.flatnonzero((labels < lowest) | (labels > highest))
    if len(wrong):
        raise ValueError(f"{expected}. Received: {name}[{wrong[0]}] = {labels[wrong[0]]}")
    return labels.astype(np.int32)


def number_classes(labels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return the classes that labels without names stand for: "0", "1" and so on.

    Args:
        labels: Of each part, such as "train", int32 [N].

    Raises:
        ValueError: If they do not count from 0, most numbers are left out, or a number is in no
            training label: it is then not known which classes there are.

    >>> number_classes({"train": np.array([1, 2, 3])})
    Traceback (most recent call last):
    ValueError: Labels without class_names must count from 0. Received: 1, 2, 3 in train_labels. ...
    """
    used = {part: np.unique(each) for part, each in labels.items()}
    if "train" not in used:
        every = np.concatenate([*used.values(), np.zeros(1, np.int32)])
        return tuple(str(number) for number in range(int(every.max()) + 1))
    train = used.pop("train")
    count = int(train.max(initial=-1)) + 1
    advice = "Number the classes from 0, or name all of them in class_names."
    if count and (train[0] != 0 or 2 * len(train) < count):
        raise ValueError(
            "Labels without class_names must count from 0. Received: "
            f"{listed(map(str, train))} in train_labels. {advice}"
        )
    for part, numbers in used.items():
        strange = np.setdiff1d(numbers, train)
        if len(strange):
            raise ValueError(
                f"{part}_labels has classes that no training image has: "
                f"{listed(map(str, strange))}. {advice}"
            )
    return tuple(str(number) for number in range(count))


def _is_whole(value: object) -> bool:
    return isinstance(value, float | np.floating) and math.isfinite(value) and value == int(value)


def check_is_data(data: DataSet) -> DataSet:
    """Return a whole data set; refuse the batches that it is made of.

    Raises:
        ValueError: If it is no data set of kcnn. The message says how to make one.
    """
    parts = ("validation", "image_shape", "class_names", "steps_per_epoch")
    if not all(hasattr(data, name) for name in parts):
        raise ValueError(
            "A training needs a data set with training and validation images: what "
            "kcnn.data.load returns, kcnn.data.from_dataset(train, validation) for batches of your "
            "own, kcnn.data.from_arrays(images, labels) for arrays. "
            f"Received: {type(data).__name__}."
        )
    return data


def check_pixels(name: str, images: np.ndarray) -> None:
    """Log a warning if images seem to be scaled to 0..1 or -1..1; only the first ones are read.

    Networks of kcnn take raw pixels of 0 to 255 and scale them themselves. Scaled twice, the
    images are nearly black: the network trains, but badly.

    Args:
        name: What the warning calls the images, such as "train".
        images: [N, H, W, C].
    """
    first = np.asarray(images[:_LOOKED_AT])
    low, high = (first.min(), first.max()) if first.size else (0, 0)
    if -1 <= low < high <= 1:
        logger.warning(
            "The images of %r are %s of %g to %g. Networks of kcnn expect raw pixels of 0 to 255 "
            "and scale them themselves: leave out your own scaling.",
            name,
            first.dtype,
            low,
            high,
        )


def check_record_count(split: str, found: int, expected: int, folder: object) -> None:
    """Raise a RuntimeError unless a split has as many records as its `dataset_info.json` says."""
    if found != expected:
        raise RuntimeError(
            f"The {split} split in {str(folder)!r} has {found:,} records, and its "
            f"dataset_info.json says {expected:,}: delete the folder and prepare the data set "
            "again."
        )
