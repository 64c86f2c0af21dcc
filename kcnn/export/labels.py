"""Class names inside a `.tflite` file.

They are packed as TensorFlow Lite documents "associated files": a zip archive appended to the
model. A reader of the model stops before it, `unzip` and Android's metadata library find it.
https://www.tensorflow.org/lite/models/convert/metadata
"""

import io
import zipfile
import zlib
from collections.abc import Sequence

_FILE = "labels.txt"
# Of a zip entry: a signature, 26 bytes of numbers, the file's name.
_ENTRY_SIGNATURE, _ENTRY_NAME_OFFSET = b"PK\x03\x04", 30
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
        if _has_entry(data):
            raise ValueError(f"{_FILE} inside it cannot be read ({error})") from error
        return ()


def _has_entry(data: bytes) -> bool:
    """Tell whether labels were packed, even if the end of the archive is missing."""
    start = data.rfind(_FILE.encode()) - _ENTRY_NAME_OFFSET
    return start >= 0 and data[start:].startswith(_ENTRY_SIGNATURE)
