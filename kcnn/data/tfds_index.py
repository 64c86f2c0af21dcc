"""Where the records of a prepared tfds set lie, and their labels: read once, and kept if large."""

import json
import logging
import os
import zipfile
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf.message import DecodeError

from kcnn.cache_folder import cache_folder
from kcnn.data.checks import check_labels, check_record_count
from kcnn.data.records import RecordIndex, damaged, scan
from kcnn.errors import naming, one_line
from kcnn.run_dir import atomic

_ARRAYS = ("files", "offsets", "lengths", "labels")

logger = logging.getLogger("kcnn")


def index(
    builder: tfds.core.DatasetBuilder,
    split: str,
    label_key: str,
    num_classes: int | None,
    *,
    keep: bool,
) -> tuple[RecordIndex, np.ndarray]:
    """Return where the records of a split lie and their labels, int32.

    Args:
        builder: Of a prepared set.
        split: Its part, such as "train".
        label_key: What records call the label.
        num_classes: How many classes there are; None if the set does not say it.
        keep: Keep the index in the cache folder, because the set is large: its files are then not
            read again, at the beginning of each training, for as long as they stay the same.

    Raises:
        RuntimeError: If the files are damaged, incomplete, or no TFRecord files.
        ValueError: If a label is none of a class.
    """
    file_format = builder.info.file_format
    if file_format is not tfds.core.FileFormat.TFRECORD:
        raise RuntimeError(
            f"Data set {builder.name!r} was prepared as {getattr(file_format, 'value', None)} in "
            f"{str(builder.data_path)!r}; TFRecord files can be read. Prepare it again."
        )
    with naming(builder.data_path):
        paths = tuple(os.fspath(path) for path in builder.info.splits[split].filepaths)
    file = _file(builder, split) if keep else None
    stamp = _stamp(paths, label_key)
    arrays = _kept(file, stamp) if file else None
    if arrays is None:
        arrays = _scanned(paths, label_key)
        if file:
            _keep(file, stamp, arrays)
    files, offsets, lengths, labels = arrays
    said = builder.info.splits[split].num_examples
    check_record_count(split, len(labels), said, builder.data_path)
    name = f"{split} labels of data set {builder.name!r}"
    lowest = -1 if split != "train" else 0
    checked = check_labels(name, labels, len(labels), num_classes, lowest=lowest)
    return RecordIndex(paths, files, offsets, lengths), checked


def _scanned(paths: Sequence[str], label_key: str) -> list[np.ndarray]:
    """Read all files, whose checksums are compared."""
    columns = [array("q") for _ in _ARRAYS]  # 8 bytes a number, which a list of tuples is not
    for number, path in enumerate(paths):
        for offset, record in scan(path):
            row = (number, offset, len(record), _label(record, label_key, path, offset))
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return [np.array(column, np.int64) for column in columns]


def _label(record: bytes, key: str, path: str, offset: int) -> int:
    try:
        return tf.train.Example.FromString(record).features.feature[key].int64_list.value[0]
    except (DecodeError, IndexError):
        raise damaged(path, offset) from None


def _file(builder: tfds.core.DatasetBuilder, split: str) -> Path:
    name = builder.info.full_name.replace("/", "--")
    return cache_folder("data", "KCNN_DATA_CACHE") / f"{name}-{split}-index.npz"


def _stamp(paths: Sequence[str], label_key: str) -> str:
    """Return what an index depends on."""
    found = [os.stat(path) for path in paths if os.path.isfile(path)]
    files = [[each.st_size, each.st_mtime_ns] for each in found]
    return json.dumps({"paths": list(paths), "files": files, "label": label_key})


def _kept(file: Path, stamp: str) -> list[np.ndarray] | None:
    """Return the arrays of a kept index, None if it is missing, damaged or of other files."""
    if not file.is_file():
        return None
    try:
        # Opened here, because NumPy would leave a file open that is no archive.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            return [kept[name] for name in _ARRAYS] if str(kept["stamp"]) == stamp else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("%s is damaged and not used: %s", file, one_line(error))
        return None


def _keep(file: Path, stamp: str, arrays: Sequence[np.ndarray]) -> None:
    try:
        with atomic(file) as temporary:
            named = dict(zip(_ARRAYS, arrays, strict=True))
            np.savez(temporary, stamp=np.array(stamp), **named)
    except OSError as error:
        logger.warning("The index of the records cannot be kept: %s", one_line(error))
