"""Split examples into training, validation and test sets with the same share of every class."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from kcnn.checks import check_count
from kcnn.data.classes import check_opened, check_several, warn_of_missing
from kcnn.data.folds import Fold, Share, held_out_places, stratified_order
from kcnn.data.opened import Opened
from kcnn.errors import Advised

if TYPE_CHECKING:
    from kcnn.data.opened import Part

TEST_FRACTION = 0.2
"""Share of a source without a test set that becomes one. Which images does not depend on a seed."""

VALIDATION = 0.1
"""Share of the training images that become the validation set, if nothing else is asked for."""

_FIXED_SEED = 0


def split(
    opened: Opened, validation: Share, seed: int, limit: int | None
) -> "tuple[Part, Part, Part]":
    """Return the training, validation and test examples.

    Args:
        opened: What a source returned.
        validation: Share of the training images that becomes the validation set, or one fold of
            them, where the source has none of its own.
        seed: Decides which images these are.
        limit: Keep at most this many training images, before the validation set is taken from
            them, and this many test images. Which ones does not depend on the seed.

    Raises:
        ValueError: If a label is of no class, two classes have one name, there is only one class,
            a set would be empty, a class would have no training image, or `validation` would have
            no effect.
    """
    check_opened(opened)
    check_several(opened.class_names)
    held_out, test, train = opened.validation, opened.test, _Pool(opened.train, opened.groups)
    if held_out is not None:
        _check_own(held_out, validation)
    if test is None:
        cut, train = train.divided(TEST_FRACTION, _FIXED_SEED)
        test = cut.part
    if limit is not None:
        train, test = train.limited(limit), _Pool(test).limited(limit).part
        held_out = held_out and _Pool(held_out).limited(limit).part
    if held_out is None:
        cut, train = train.divided(validation, seed)
        held_out = cut.part
    _check(opened, train.part, held_out, test, limit)
    warn_of_missing(opened.class_names, train=train.part, validation=held_out, test=test)
    return train.part, held_out, test


def cut_test(opened: Opened) -> "Part":
    """Return the test images of a source that has none of its own."""
    return _Pool(opened.train, opened.groups).divided(TEST_FRACTION, _FIXED_SEED)[0].part


def with_test(opened: Opened) -> Opened:
    """Return the same with test images: its own, or those that are cut from the training images."""
    if opened.test is not None:
        return opened
    cut, train = _Pool(opened.train, opened.groups).divided(TEST_FRACTION, _FIXED_SEED)
    return replace(opened, train=train.part, test=cut.part, groups=train.groups)


def training_at(opened: Opened, places: np.ndarray) -> Opened:
    """Return the same with the training images at these places alone."""
    kept = _Pool(opened.train, opened.groups).at(places)
    return replace(opened, train=kept.part, groups=kept.groups)


@dataclass(frozen=True, eq=False)
class _Pool:
    """Images from which some are taken, and the group of each where they have groups."""

    part: "Part"
    groups: np.ndarray | None = None

    def at(self, places: np.ndarray) -> Self:
        """Return the images at these places."""
        groups = None if self.groups is None else self.groups[places]
        return type(self)(self.part.subset(places), groups)

    def divided(self, share: Share, seed: int) -> tuple[Self, Self]:
        """Return the images that are held out, and the rest."""
        places = held_out_places(self.part.labels, share, seed, self.groups)
        return self.at(places), self.at(np.setdiff1d(np.arange(len(self.part)), places))

    def limited(self, limit: int) -> Self:
        """Return as many images, of every class the same share."""
        return self.at(np.sort(stratified_order(self.part.labels, _FIXED_SEED)[:limit]))


def _check_own(held_out: "Part", validation: Share) -> None:
    """Refuse a share or a fold of data that have validation images of their own."""
    if isinstance(validation, Fold):
        given, command = "validation=Fold(...)", "Leave data.folds out."
    elif validation != VALIDATION:
        given = f"validation={validation}"
        command = f"Leave it out, or --set data.validation={VALIDATION}."
    else:
        return
    raise Advised(
        f"The data have {len(held_out)} validation images of their own, so {given} means nothing.",
        python="Leave it out.",
        command=command,
    )


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


def check_arguments(*, seed: int, validation: Share = VALIDATION, limit: int | None = None) -> None:
    """Raise a ValueError for an argument of `kcnn.data.load` that is out of range."""
    check_count("seed", seed, minimum=0)
    if limit is not None:
        check_count("limit", limit)
    if isinstance(validation, Fold):
        return
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
