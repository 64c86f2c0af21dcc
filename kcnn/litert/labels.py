"""Class names inside a `.tflite` file, packed as `labels.txt`."""

import re
from collections.abc import Sequence

from kcnn.litert.packed import pack, unpack

_FILE = "labels.txt"
_HALF = re.compile("[\ud800-\udfff]")  # of a character, which no file can have


def check_labels(labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return the class names as a tuple, empty if `labels` is None.

    Args:
        labels: one name per class.
        classes: how many outputs the model has; a single one stands for two classes.

    Raises:
        ValueError: there is not one name per class, or a name is not one line of text in UTF-8.
    """
    if labels is None:
        return ()
    names = () if isinstance(labels, str) else tuple(labels)
    classes = 2 if classes == 1 else classes
    if len(names) != classes:
        count = f"the text {labels!r}" if isinstance(labels, str) else f"{len(names)} labels"
        raise ValueError(f"labels must be one name per class, {classes} here. Received: {count}.")
    for name in names:
        if not isinstance(name, str) or name.splitlines() != [name]:
            raise ValueError(f"A label must be one line of text. Received: {name!r}.")
        if _HALF.search(name):
            raise ValueError(
                f"A label must be text in UTF-8: rename it, or its folder. Received: {name!r}."
            )
    return names


def append_labels(data: bytes, labels: Sequence[str]) -> bytes:
    """Return the model's bytes with `labels` packed behind, one per line; unchanged if empty."""
    return pack(data, _FILE, "\n".join(labels).encode()) if labels else data


def read_labels(data: bytes) -> tuple[str, ...]:
    """Return the class names packed in a model's bytes, empty if there are none.

    Raises:
        ValueError: the labels are damaged.
    """
    return tuple((unpack(data, _FILE) or b"").decode().splitlines())
