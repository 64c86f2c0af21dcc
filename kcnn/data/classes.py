"""The classes of a data set: their names, which of them have images, and another model's order."""

import logging
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kcnn.data.checks import check_labels
from kcnn.data.labelled import LabelledImages
from kcnn.data.opened import Opened, Source
from kcnn.errors import listed, unknown

if TYPE_CHECKING:
    import os

    from kcnn.data.opened import Part

logger = logging.getLogger("kcnn")

_KINDS = {"train": "training"}


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), in which class names are compared."""
    return unicodedata.normalize("NFC", name)


def check_opened(opened: Opened) -> None:
    """Raise a ValueError if a label is of no class, or two classes have the same name."""
    parts = {"train": opened.train, "validation": opened.validation, "test": opened.test}
    for name, part in parts.items():
        if part is not None:
            check_part(f"{name} labels", part, len(opened.class_names))
    check_names(opened.class_names)


def check_part(name: str, part: "Part", num_classes: int) -> None:
    """Raise a ValueError if a label is of no class, or there is not one for each image."""
    count = len(part.images if isinstance(part, LabelledImages) else part)
    check_labels(name, part.labels, count, num_classes)


def check_names(class_names: Sequence[str]) -> None:
    """Raise a ValueError if two classes have the same name.

    >>> check_names(["cat", "dog", "cat"])
    Traceback (most recent call last):
    ValueError: Class names must differ. Received: 'cat' for classes 0, 2
    """
    counts = Counter(map(composed, class_names))
    for name in (name for name, count in counts.items() if count > 1):
        places = [str(place) for place, each in enumerate(class_names) if composed(each) == name]
        raise ValueError(
            f"Class names must differ. Received: {name!r} for classes {', '.join(places)}"
        )


def check_several(class_names: Sequence[str]) -> None:
    """Raise a ValueError unless there are two classes or more to tell apart.

    >>> check_several(["cat"])
    Traceback (most recent call last):
    ValueError: A classifier needs at least 2 classes. Received: 'cat' alone.
    """
    if len(class_names) < 2:
        received = f"{class_names[0]!r} alone" if class_names else "none"
        raise ValueError(f"A classifier needs at least 2 classes. Received: {received}.")


def warn_of_missing(class_names: Sequence[str], **parts: "Part") -> None:
    """Log the classes without an image in a part, before something is trained or scored."""
    for kind, part in parts.items():
        missing = np.setdiff1d(np.arange(len(class_names)), part.labels)
        if len(missing):
            names = listed(repr(class_names[label]) for label in missing)
            logger.warning("These classes have no %s image: %s.", _KINDS.get(kind, kind), names)


def in_order_of(part: "Part", names: tuple[str, ...], wanted: tuple[str, ...]) -> "Part":
    """Return examples whose labels are the numbers of the same classes in another order.

    Args:
        part: The examples.
        names: The names of their classes.
        wanted: The names of the classes of a model, in its order. If one side has only numbers for
            names, as data without names have, and there are as many, the numbers stay.

    Raises:
        ValueError: If a class with images is not among the wanted ones.
    """
    if len(names) == len(wanted) and (_are_numbers(names) or _are_numbers(wanted)):
        return part
    places = {composed(name): place for place, name in enumerate(wanted)}
    numbers = np.full(len(names), -1, np.int32)
    for label in np.unique(part.labels):
        if composed(names[label]) not in places:
            reason = unknown("class", names[label], wanted)
            raise ValueError(f"The data have a class that the model has not. {reason}")
        numbers[label] = places[composed(names[label])]
    return replace(part, labels=numbers[part.labels])


@dataclass(frozen=True)
class InOrderOf:
    """A source whose classes are numbered as a model numbers them.

    Attributes:
        source: The source.
        class_names: The model's classes, in its order.
    """

    source: Source
    class_names: tuple[str, ...]

    @property
    def mirror(self) -> bool:
        """Whether a mirror image still belongs to its class."""
        return self.source.mirror

    def open(self, data_dir: "str | os.PathLike | None" = None) -> Opened:
        """Open the source.

        Raises:
            ValueError: As that of the source, or a class is not among `class_names`.
        """
        opened = self.source.open(data_dir)
        check_opened(opened)
        names, wanted = opened.class_names, self.class_names
        changed = opened.with_parts(lambda part: in_order_of(part, names, wanted))
        return replace(changed, class_names=wanted)


def _are_numbers(names: Sequence[str]) -> bool:
    return list(names) == [str(number) for number in range(len(names))]
