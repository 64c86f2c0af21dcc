"""The variants of a run's model: the trained one, smaller ones, integer ones."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Variant:
    """One variant of a run's model, which gets a receipt: a score, sizes, times.

    Attributes:
        name: What reports call it, such as "pruned 50%, int8".
        file: The `.keras` or `.tflite` file that is scored.
        model: The Keras model in `file`, or the one that a `.tflite` file was exported from.
        macs: Multiply-accumulates for one image.
        tta: The test-time augmentation of its score.
        int8: Whether the stage `quantize` exports it as an int8 file too.
    """

    name: str
    file: Path
    model: "keras.Model"
    macs: int
    tta: str = "none"
    int8: bool = True


def with_tta(variant: Variant, tta: str) -> Variant:
    """Return the same variant, to be scored with test-time augmentation, as its name then says."""
    return dataclasses.replace(variant, name=f"{variant.name}, TTA {tta}", tta=tta)
