"""A set of pictures like those of ImageNet: JPEG files of 500 x 375 pixels, in shards.

The pictures are noise whose details fade as those of photographs do, so that a file has about 105
kB, as one of ImageNet has, and takes as long to decode. There is nothing in them to learn.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CLASSES, SIZE = 20, (500, 375)
COUNTS = (160, 640, 1000, 4000)
_TEST = 32  # images of the test split
_OCTAVES = ((4, 3, 70), (16, 12, 40), (62, 47, 25), (250, 188, 14), (500, 375, 5))
_QUALITY = 97


class KcnnPhotographs(tfds.core.GeneratorBasedBuilder):
    """The set; a configuration is called after its number of training images."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=str(count)) for count in COUNTS]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(num_classes=CLASSES),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict:
        config: Any = self.builder_config
        train = self._generate_examples(0, int(config.name))
        return {"train": train, "test": self._generate_examples(1)}

    def _generate_examples(self, seed: int, count: int = _TEST) -> Iterator:
        random = np.random.default_rng(seed)
        for key in range(count):
            yield key, {"image": io.BytesIO(_jpeg(random)), "label": key % CLASSES}


def prepare(folder: Path, count: int, shards: int) -> int:
    """Write the set, and return the bytes of its files."""
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(num_shards=shards)
    builder = tfds.builder(f"kcnn_photographs/{count}", data_dir=folder)
    builder.download_and_prepare(download_config=config)
    return sum(file.stat().st_size for file in Path(builder.data_path).glob("*.tfrecord*"))


def _jpeg(random: np.random.Generator) -> bytes:
    """Return the bytes of one picture."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 128, np.float32)
    for width, height, strength in _OCTAVES:
        noise = random.integers(0, 256, (height, width, 3), np.uint8)
        scaled = Image.fromarray(noise).resize(SIZE, Image.Resampling.BILINEAR)
        pixels += (np.asarray(scaled, np.float32) - 128) * (strength / 128)
    written = io.BytesIO()
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
