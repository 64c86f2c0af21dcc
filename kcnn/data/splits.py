"""Split examples into training, validation and test sets with the same share of every class."""

from typing import TYPE_CHECKING

import numpy as np

from kcnn.checks import check_count
from kcnn.data.classes import check_opened, warn_of_missing
from kcnn.data.opened import Opened
from kcnn.errors import Advised

if TYPE_CHECKING:
    from kcnn.data.opened import Part

TEST_FRACTION = 0.2
"""Share of a source without a test set that becomes one. Which images does not depend on a seed."""

VALIDATION = 0.1
"""Share of the training images that become the validation set, if nothing else is asked for."""

_FIXED_SEED = 0


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return all indices in a random order in which every prefix has the class shares of the whole.

    The first tenth is thus a stratified sample, and so is the rest. Each image gets a random
    quantile within its class, and the images of all classes are sorted by quantile.

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_order(labels, seed=0)[:3]].tolist().count(1)
    1
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    quantile = (rank + 0.5) / np.repeat(counts, counts)
    ties = random.random(len(labels))
    return by_class[np.lexsort((ties, quantile))]


def split(
    opened: Opened, validation: float, seed: int, limit: int | None
) -> "tuple[Part, Part, Part]":
    """Return the training, validation and test examples.

    Args:
        opened: What a source returned.
        validation: Share of the training images that becomes the validation set, where the source
            has none of its own.
        seed: Decides which images these are.
        limit: Keep at most this many training images, before the validation set is taken from
            them, and this many test images. Which ones does not depend on the seed.

    Raises:
        ValueError: If a label is of no class, two classes have one name, a set would be empty, a
            class would have no training image, or `validation` would have no effect.
    """
    check_opened(opened)
    train, held_out, test = opened.train, opened.validation, opened.test
    if held_out is not None and validation != VALIDATION:
        raise Advised(
            f"The data have {len(held_out)} validation images of their own, so validation="
            f"{validation} means nothing.",
            python="Leave it out.",
            command=f"Leave it out, or --set data.validation={VALIDATION}.",
        )
    if test is None:
        test, train = cut_test(train)
    if limit is not None:
        train, _ = _cut(train, limit, _FIXED_SEED)
        test, _ = _cut(test, limit, _FIXED_SEED)
        held_out = held_out and _cut(held_out, limit, _FIXED_SEED)[0]
    if held_out is None:
        held_out, train = _cut(train, round(validation * len(train)), seed)
    _check(opened, train, held_out, test, limit)
    warn_of_missing(opened.class_names, train=train, validation=held_out, test=test)
    return train, held_out, test


def cut_test(train: "Part") -> "tuple[Part, Part]":
    """Return the test images of a source that has none of its own, and the rest."""
    return _cut(train, round(TEST_FRACTION * len(train)), _FIXED_SEED)


def _cut(examples: "Part", count: int, seed: int) -> "tuple[Part, Part]":
    order = stratified_order(examples.labels, seed)
    # Sorted, so that files on the disk are read from beginning to end.
    first, rest = np.sort(order[:count]), np.sort(order[count:])
    return examples.subset(first), examples.subset(rest)


def _check(
    opened: Opened, train: "Part", validation: "Part", test: "Part", limit: int | None
) -> None:
    cause = f"limit={limit} is too small" if limit is not None else "There are too few images"
    for name, part in {"validation": validation, "test": test}.items():
        if not len(part):
            raise ValueError(
                f"{cause}: the {name} set would be empty. Received: {len(train)} images to train "
                f"on and {len(opened.class_names)} classes."
            )
    missing = np.setdiff1d(opened.train.labels, train.labels)
    if len(missing):
        raise ValueError(
            f"{cause}: class {opened.class_names[missing[0]]!r} would have no training image. "
            f"Received: {len(train)} images to train on and {len(opened.class_names)} classes."
        )


def check_arguments(*, seed: int, validation: float = VALIDATION, limit: int | None = None) -> None:
    """Raise a ValueError for an argument of `kcnn.data.load` that is out of range."""
    check_count("seed", seed, minimum=0)
    if limit is not None:
        check_count("limit", limit)
    if not isinstance(validation, int | float) or not 0 < validation < 0.5:
        raise ValueError(
            "validation must be above 0, because everything is chosen on it, and below 0.5. "
            f"Received: {validation!r}."
        )


def check_batch_size(batch_size: int, num_train: int | None = None) -> None:
    """Raise a ValueError for a batch size below 1, or larger than the training set."""
    check_count("batch_size", batch_size)
    if num_train is not None and batch_size > num_train:
        raise Advised(
            f"batch_size={batch_size} is larger than the training set of {num_train} images:",
            python=f"pass batch_size={num_train} or less.",
            command=f"--set data.batch_size={num_train} or less.",
        )
