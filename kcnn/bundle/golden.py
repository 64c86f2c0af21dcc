"""Golden images and photographs, with the answers that prove a port."""

from pathlib import Path

import numpy as np

from kcnn.bundle.manifest import Golden, Photographs
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
