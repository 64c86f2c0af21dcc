"""Small files that travel inside a `.tflite` file.

They are packed as TensorFlow Lite documents "associated files": a zip archive appended to the
model. A reader of the model stops before it, `unzip` and Android's metadata library find them.
https://www.tensorflow.org/lite/models/convert/metadata
"""

import io
import re
import zipfile
import zlib

_LARGEST = 2**24
"""Bytes of a packed file; class names and class weights have far fewer."""

# A fixed date, so that the same model and files give the same bytes.
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


def pack(data: bytes, name: str, content: bytes) -> bytes:
    """Return a model's bytes with one more file packed behind.

    >>> unpack(pack(b"model", "labels.txt", b"cat"), "labels.txt")
    b'cat'
    """
    packed = io.BytesIO()
    packed.write(data)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name, _DATE), content)
    return packed.getvalue()


def unpack(data: bytes, name: str) -> bytes | None:
    """Return the content of a file packed in a model's bytes, None if there is none of that name.

    Raises:
        ValueError: it is there, but damaged, or far too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(name)
            # Other methods than these two cannot be stopped while they decompress.
            bounded = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if bounded and entry.file_size <= _LARGEST:
                with archive.open(entry) as file:
                    return file.read(_LARGEST)
    except KeyError:
        return None
    except _UNREADABLE as error:
        # A model without files is no archive either; one with the start of an entry, which is a
        # signature, 26 bytes of numbers and the file's name, is cut off.
        if re.search(rb"PK\x03\x04.{26}" + re.escape(name.encode()), data, re.DOTALL):
            raise ValueError(f"{name} inside it cannot be read ({error})") from error
        return None
    raise ValueError(
        f"{name} inside it is packed as none of kcnn's, or has over {_LARGEST:,} bytes"
    )
