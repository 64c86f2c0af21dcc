"""The variants a model takes on its way to the phone, and their scores."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from kcnn import compress
from kcnn.evaluation import Evaluation, evaluate

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Variant:
    """One variant of the model on its way to the phone."""

    name: str
    file: Path
    model: keras.Model
    """Itself, or for a .tflite file what it was made from."""
    macs: int
    """Multiply-accumulates for an image."""
    tta: str = "none"
    """The test-time augmentation of its score."""


def with_tta(variant: Variant, tta: str) -> Variant:
    """Return the same variant, to be scored with test-time augmentation, which its name tells."""
    return dataclasses.replace(variant, name=f"{variant.name}, TTA {tta}", tta=tta)


def facts(variant: Variant) -> dict[str, float]:
    """Return what is known of the variant's model without running it, as fields of `Receipt`."""
    return {
        "sparsity": compress.sparsity(variant.model),
        "parameters": variant.model.count_params(),
        "macs": variant.macs,
    }


def score(variant: Variant, data: "Data | JaxData") -> Evaluation:
    """Score the variant on the whole test set."""
    logger.info("scoring %s on the test set", variant.file.name)
    return evaluate(variant.file, data.test, expected_count=data.num_test, tta=variant.tta)
