"""What becomes of a bundle's golden photographs on their way to the model."""

from pathlib import Path

import numpy as np

from kcnn.bundle.manifest import WEB_MODEL, Manifest, inside
from kcnn.bundle.photographs import pixels_of
from kcnn.runtimes import web

PILLOW, PAGE = "Pillow", "the page in Chromium"


def pixel_differences(
    folder: Path, manifest: Manifest, pixels: np.ndarray, *, browser: bool
) -> dict[str, int]:
    """Return by how many levels each program departs from the golden pixels, by its name.

    Empty for a bundle without photographs.

    Args:
        folder: of the bundle.
        manifest: its manifest.
        pixels: the golden pixels, uint8 `(count, height, width, channels)`.
        browser: whether to try the code of the page in Chromium too.

    Raises:
        ValueError: a photograph cannot be read.
    """
    facts = manifest.golden.photographs
    if facts is None:
        return {}
    files = [inside(folder, name) for name in facts.files]
    made = {PILLOW: pixels_of(files, manifest.input.shape[1:])}
    if browser:
        model = inside(folder, WEB_MODEL).read_bytes()
        made[PAGE] = web.shrink(model, [file.read_bytes() for file in files])
    return {
        name: int(np.abs(each.astype(int) - pixels.astype(int)).max())
        for name, each in made.items()
    }
