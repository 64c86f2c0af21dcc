"""A part of a data set: some of its classes, or a few training images of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kcnn.checks import check_count
from kcnn.data.classes import check_opened, composed
from kcnn.data.opened import Opened, Source
from kcnn.data.splits import cut_test, stratified_order
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
            numbers = _numbers(opened.class_names, self.classes)
            opened = replace(
                opened.with_parts(lambda part: _of_classes(part, numbers)),
                class_names=tuple(opened.class_names[number] for number in numbers),
            )
        if self.per_class is None:
            return opened
        check_count("per_class", self.per_class)
        train, test = opened.train, opened.test
        if test is None:
            test, train = cut_test(train)
        few = _few(train, self.per_class, opened.class_names)
        return replace(opened, train=few, test=test)


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


def _of_classes(part: "Part", numbers: Sequence[int]) -> "Part":
    """Return the examples of these classes, which get the numbers 0, 1 and so on."""
    kept = part.subset(np.flatnonzero(np.isin(part.labels, numbers)))
    new = np.zeros(max(numbers) + 1, np.int32)
    new[list(numbers)] = np.arange(len(numbers))
    return replace(kept, labels=new[kept.labels])


def _few(part: "Part", count: int, names: tuple[str, ...]) -> "Part":
    """Return the first `count` examples of each class in a fixed random order."""
    order = stratified_order(part.labels, _FIXED_SEED)
    found = [order[part.labels[order] == label][:count] for label in range(len(names))]
    for name, places in zip(names, found, strict=True):
        if len(places) < count:
            raise ValueError(
                f"Class {name!r} has {len(places)} training images. Received: per_class={count}"
            )
    return part.subset(np.sort(np.concatenate(found)))
