"""Golden images and photographs, with the answers that prove a port."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcnn.bundle.manifest import Golden, Manifest, Photographs, inside
from kcnn.bundle.photographs import TOLERANCE, write_photographs
from kcnn.runtimes import litert


def write_golden(model: bytes, folder: Path, images: np.ndarray) -> tuple[Golden, np.ndarray]:
    """Write a bundle's `golden/` and return what is in it, and the outputs for the images.

    Args:
        model: the int8 model, whose answers in LiteRT with XNNPACK are the golden ones.
        folder: of the bundle.
        images: uint8 `(count, height, width, 1 or 3)`.

    Raises:
        ValueError: the model does not classify these images.
    """
    outputs = litert.run(model, images).outputs
    (folder / "golden").mkdir()
    (folder / "golden/images.bin").write_bytes(np.ascontiguousarray(images).tobytes())
    (folder / "golden/outputs.bin").write_bytes(outputs.tobytes())
    photographs = _write_photographs(model, folder, images)
    return Golden("golden/images.bin", "golden/outputs.bin", len(images), photographs), outputs


def _write_photographs(model: bytes, folder: Path, images: np.ndarray) -> Photographs:
    pixels = write_photographs(images, folder / "golden/photographs")
    outputs = litert.run(model, pixels).outputs
    (folder / "golden/photographs.bin").write_bytes(pixels.tobytes())
    (folder / "golden/photographs_outputs.bin").write_bytes(outputs.tobytes())
    return Photographs(
        tuple(f"golden/photographs/{index}.jpg" for index in range(len(pixels))),
        "golden/photographs.bin",
        "golden/photographs_outputs.bin",
        TOLERANCE,
    )


@dataclass(frozen=True)
class GoldenVectors:
    """The golden images and photographs of a bundle, and the answers to them.

    Attributes:
        images: uint8 `(count, height, width, channels)`.
        levels: int32 `(count, outputs)`, stored outputs without their zero point.
        pixels: those that must be made of the photographs; none in older bundles.
        pixel_levels: the outputs for exactly these pixels.
    """

    images: np.ndarray
    levels: np.ndarray
    pixels: np.ndarray
    pixel_levels: np.ndarray


def read_golden(folder: Path, manifest: Manifest) -> GoldenVectors:
    """Read a bundle's golden images and photographs.

    Raises:
        ValueError: the files do not hold as many as the manifest says.
    """
    golden, photographs = manifest.golden, manifest.golden.photographs
    images = _read(folder, manifest, golden.images, golden.outputs, golden.count)
    if photographs is None:
        return GoldenVectors(*images, *(each[:0] for each in images))
    count = len(photographs.files)
    return GoldenVectors(
        *images, *_read(folder, manifest, photographs.pixels, photographs.outputs, count)
    )


def _read(
    folder: Path, manifest: Manifest, pixels_file: str, outputs_file: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    shape = (count, *manifest.input.shape[1:])
    wanted = (count, manifest.output.shape[1])
    pixels = np.fromfile(inside(folder, pixels_file), np.uint8)
    outputs = np.fromfile(inside(folder, outputs_file), manifest.output.dtype)
    if pixels.size != np.prod(shape) or outputs.size != np.prod(wanted):
        raise ValueError(f"The golden vectors of {str(folder)!r} are not {count} images.")
    levels = outputs.reshape(wanted).astype(np.int32) - manifest.reading.zero_point
    return pixels.reshape(shape), levels
