"""A tiny prepared set of TensorFlow Datasets, whose records can be damaged."""

import os
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kcnn.data import Tfds
from tests.campaign.mutators import mutate_bytes


class KcnnTiny(tfds.core.GeneratorBasedBuilder):
    """Twelve images of two classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(4, 4, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["ant", "bee"]),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict:
        return {"train": self._generate_examples(8), "test": self._generate_examples(4)}

    def _generate_examples(self, count: int) -> Any:
        for key in range(count):
            yield key, {"image": np.full((4, 4, 3), key, np.uint8), "label": key % 2}


def prepare(folder: Path) -> list[Path]:
    """Write the set and return its files."""
    tfds.disable_progress_bar()
    KcnnTiny(data_dir=str(folder)).download_and_prepare()
    return sorted(file for file in folder.rglob("1.0.0/*") if file.is_file())


def read(file: Path) -> Any:
    """Return what kcnn reads of the set that has the file."""
    os.environ["KCNN_DATA_CACHE"] = str(file.parents[2] / "cache")
    opened = Tfds("kcnn_tiny").open(file.parents[2])
    parts = [(each.images.tobytes(), each.labels.tobytes()) for each in (opened.train, opened.test)]
    return parts, opened.class_names


def mutate_record(content: bytes, draw: random.Random) -> bytes:
    """Damage one record, and give it the checksums that fit."""
    records, place = [], 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        records.append(content[place + 12 : place + 12 + length])
        place += length + 16
    index = draw.randrange(len(records))
    records[index] = mutate_bytes(records[index], draw)
    return b"".join(map(_with_checksums, records))


def _with_checksums(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(content: bytes) -> bytes:
    """Return the masked CRC-32C of TFRecord files."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
