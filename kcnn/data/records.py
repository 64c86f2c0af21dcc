"""TFRecord files whose records can be read in any order.

TensorFlow reads a TFRecord file only from its beginning. An index of where the records begin makes
a split, a limit and a full shuffle cheap, also for a set that is larger than the RAM.

A record is: length (uint64, little-endian), checksum of it (4 bytes), the payload, checksum (4).
https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_HEAD, _TAIL = 12, 4
_SCAN_BUFFER = 1 << 20


def scan(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
    """Yield each record of a TFRecord file, after the byte at which it begins.

    Raises:
        RuntimeError: If the file ends in the middle of a record.
    """
    with open(path, "rb", buffering=_SCAN_BUFFER) as file:
        size = os.fstat(file.fileno()).st_size
        position = 0
        while head := file.read(_HEAD):
            position += _HEAD
            length = struct.unpack("<Q", head[:8])[0] if len(head) == _HEAD else -1
            if not 0 <= length <= size - position - _TAIL:
                raise RuntimeError(
                    f"Record file {os.fspath(path)!r} is damaged or cut off at byte {position}. "
                    "Delete its folder and prepare the data set again."
                )
            yield position, file.read(length + _TAIL)[:-_TAIL]
            position += length + _TAIL


@dataclass(frozen=True)
class RecordIndex:
    """Where every record of a list of TFRecord files lies.

    Attributes:
        paths: The files.
        files: int64 [N], which of the files each record lies in.
        offsets: int64 [N], the byte at which its payload begins.
        lengths: int64 [N], the bytes of its payload.
    """

    paths: tuple[str, ...]
    files: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the payloads at `indices` as an object array of bytes."""
        payloads = np.empty(len(indices), object)
        for place, index in enumerate(indices):
            # Opened each time: threads then share no position, and no limit on open files counts.
            with open(self.paths[self.files[index]], "rb", buffering=0) as file:
                file.seek(int(self.offsets[index]))
                payloads[place] = file.read(int(self.lengths[index]))
        return payloads
