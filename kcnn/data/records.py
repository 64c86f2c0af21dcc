"""TFRecord files whose records can be read in any order.

TensorFlow reads a TFRecord file only from its beginning. An index of where the records begin makes
a split, a limit and a full shuffle cheap, also for a set that is larger than the RAM.

A record is: length (uint64, little-endian), checksum of it (4 bytes), the payload, checksum (4).
https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

_HEAD, _TAIL = 12, 4
_SCAN_BUFFER, _SCAN_BATCH = 1 << 20, 32


def scan(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
    """Yield each record of a TFRecord file, after the byte at which it begins.

    TensorFlow reads it, and checks both checksums of each record.

    Raises:
        RuntimeError: If the file is missing, a byte has changed or the file ends within a record.
    """
    records = tf.data.TFRecordDataset(os.fspath(path), buffer_size=_SCAN_BUFFER)
    position = 0
    try:
        for batch in records.batch(_SCAN_BATCH).as_numpy_iterator():
            for record in batch:
                position += _HEAD
                yield position, record
                position += len(record) + _TAIL
    except tf.errors.OpError as error:
        found = re.search(r"record at (\d+)", error.message)
        raise damaged(path, int(found[1]) if found else position) from None
    if os.path.getsize(path) != position:  # fewer bytes than a head, which TensorFlow lets pass
        raise damaged(path, position)


def damaged(path: str | os.PathLike, position: int) -> RuntimeError:
    """Return the error for a record file that cannot be read from a byte on."""
    if not os.path.isfile(path):
        return RuntimeError(
            f"There is no record file {os.fspath(path)!r}. Delete its folder and prepare the data "
            "set again."
        )
    return RuntimeError(
        f"Record file {os.fspath(path)!r} is damaged or cut off at byte {position}. "
        "Delete its folder and prepare the data set again."
    )


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
