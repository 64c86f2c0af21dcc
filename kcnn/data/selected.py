"""A part of a data set: some of its classes, or a few training images of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kcnn.checks import check_count
from kcnn.data.classes import check_opened, composed
from kcnn.data.folds import stratified_order
from kcnn.data.opened import Opened, Source
from kcnn.data.splits import training_at, with_test
from kcnn.errors import unknown

if TYPE_CHECKING:
    from kcnn.data.opened import Part

_FIXED_SEED = 0


@dataclass(frozen=True)
class Selected:
    """A source without the images that are not wanted.

    Attributes:
        source: The source.
        classes: The classes that stay, in the order of their numbers; all if it is empty.
        per_class: So many training images of each class stay, always the same ones; None for all.
            Test images stay whole.
    """

    source: Source
    classes: tuple[str, ...] = ()
    per_class: int | None = None

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class."""
        return self.source.mirror

    def open(self, data_dir: str | os.PathLike | None = None) -> Opened:
        """Open the source.

        Raises:
            ValueError: As that of the source, a class is unknown or named twice, there is only one,
                or a class has fewer than `per_class` training images.
        """
        opened = self.source.open(data_dir)
        check_opened(opened)
        if self.classes:
            opened = _of_classes(opened, _numbers(opened.class_names, self.classes))
        if self.per_class is None:
            return opened
        check_count("per_class", self.per_class)
        opened = with_test(opened)
        return training_at(opened, _few(opened.train.labels, self.per_class, opened.class_names))


def _numbers(names: tuple[str, ...], wanted: Sequence[str]) -> list[int]:
    """Return the numbers of the wanted classes, in their order."""
    places = {composed(name): place for place, name in enumerate(names)}
    for name in wanted:
        if composed(name) not in places:
            raise unknown("class", name, names)
    numbers = [places[composed(name)] for name in wanted]
    if len(set(numbers)) < 2 or len(set(numbers)) < len(numbers):
        raise ValueError(
            f"classes must be at least two different names. Received: {', '.join(wanted)}"
        )
    return numbers


def _of_classes(opened: Opened, numbers: Sequence[int]) -> Opened:
    """Return the images of these classes, which get the numbers 0, 1 and so on."""
    new = np.full(len(opened.class_names), -1, np.int32)
    new[list(numbers)] = np.arange(len(numbers))

    def renumbered(part: "Part") -> "Part":
        kept = part.subset(np.flatnonzero(new[part.labels] >= 0))
        return replace(kept, labels=new[kept.labels])

    train = training_at(opened, np.flatnonzero(new[opened.train.labels] >= 0))
    names = tuple(opened.class_names[number] for number in numbers)
    return replace(opened.with_parts(renumbered), class_names=names, groups=train.groups)


def _few(labels: np.ndarray, count: int, names: tuple[str, ...]) -> np.ndarray:
    """Return the places of the first `count` images of each class in a fixed random order."""
    order = stratified_order(labels, _FIXED_SEED)
    found = [order[labels[order] == label][:count] for label in range(len(names))]
    for name, places in zip(names, found, strict=True):
        if len(places) < count:
            raise ValueError(
                f"Class {name!r} has {len(places)} training images. Received: per_class={count}"
            )
    return np.sort(np.concatenate(found))
