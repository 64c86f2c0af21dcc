"""Class names inside a `.tflite` file.

They are packed as TensorFlow Lite documents "associated files": a zip archive appended to the
model. A reader of the model stops before it, `unzip` and Android's metadata library find it.
https://www.tensorflow.org/lite/models/convert/metadata
"""

import io
import re
import zipfile
import zlib
from collections.abc import Sequence

_FILE = "labels.txt"
# The start of a zip entry: its signature, 26 bytes of numbers, the file's name.
_ENTRY = re.compile(rb"PK\x03\x04.{26}" + re.escape(_FILE.encode()), re.DOTALL)
# A fixed date, so that the same model and labels give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def check_labels(labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return the class names as a tuple, empty if there are none.

    Raises:
        ValueError: not one name a class, or a name that is no line of text.
    """
    if labels is None:
        return ()
    names = () if isinstance(labels, str) else tuple(labels)
    if len(names) != classes:
        count = f"the text {labels!r}" if isinstance(labels, str) else f"{len(names)} labels"
        raise ValueError(f"labels must be one name a class, {classes} here. Received: {count}.")
    for name in names:
        if not isinstance(name, str) or name.splitlines() != [name]:
            raise ValueError(f"A label must be one line of text. Received: {name!r}.")
    return names


def append_labels(data: bytes, labels: Sequence[str]) -> bytes:
    """Return the model's bytes with `labels` packed behind, one a line; no labels, no change."""
    if not labels:
        return data
    packed = io.BytesIO()
    packed.write(data)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(zipfile.ZipInfo(_FILE, _DATE), "\n".join(labels))
    return packed.getvalue()


def read_labels(data: bytes) -> tuple[str, ...]:
    """Return the class names packed in a model's bytes, empty if there are none.

    Raises:
        ValueError: there are labels, but they are damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return tuple(archive.read(_FILE).decode().splitlines())
    except KeyError:
        return ()
    except _UNREADABLE as error:
        # A model without labels is no archive either; one with the start of an entry is cut off.
        if _ENTRY.search(data):
            raise ValueError(f"{_FILE} inside it cannot be read ({error})") from error
        return ()
