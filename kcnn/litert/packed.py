"""Small files that travel inside a `.tflite` file.

They are packed as TensorFlow Lite documents "associated files": in a zip archive appended to the
model. A reader of the model stops before the archive; `unzip` and Android's metadata library find
it.
https://www.tensorflow.org/lite/models/convert/metadata
"""

import io
import re
import zipfile
import zlib

_LARGEST = 2**24
"""Most bytes of a packed file; class names and class weights need far fewer."""

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
    """Return a model's bytes with one more file packed behind them.

    >>> unpack(pack(b"model", "labels.txt", b"cat"), "labels.txt")
    b'cat'
    """
    packed = io.BytesIO()
    packed.write(data)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name, _DATE), content)
    return packed.getvalue()


def unpack_all(data: bytes) -> dict[str, bytes]:
    """Return all files packed in a model's bytes that this process has made, by their names.

    >>> unpack_all(pack(pack(b"model", "labels.txt", b"cat"), "more.bin", b"1"))
    {'labels.txt': b'cat', 'more.bin': b'1'}
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def unpack(data: bytes, name: str) -> bytes | None:
    """Return the content of a file packed in a model's bytes, None if no file has that name.

    Raises:
        ValueError: the packed file is damaged, or far too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(name)
            # Only these two methods decompress no more than the bytes that are read.
            bounded = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if bounded and entry.file_size <= _LARGEST:
                with archive.open(entry) as file:
                    return file.read(_LARGEST)
    except KeyError:
        return None
    except _UNREADABLE as error:
        # A model without packed files is no archive, and that is no error. But where an entry
        # begins (signature, 26 bytes of numbers, name of the file), the archive was cut off.
        if re.search(rb"PK\x03\x04.{26}" + re.escape(name.encode()), data, re.DOTALL):
            raise ValueError(f"{name} inside it cannot be read ({error})") from error
        return None
    raise ValueError(
        f"{name} inside it is compressed by a method other than deflate, or has over "
        f"{_LARGEST:,} bytes"
    )
