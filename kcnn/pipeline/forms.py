"""The forms a model takes on its way to the phone, and their scores."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from kcnn import compress
from kcnn.evaluation import Evaluation, evaluate

if TYPE_CHECKING:
    from kcnn.data import Data, DeviceData

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Form:
    """One form of the model on its way to the phone."""

    name: str
    file: Path
    model: keras.Model
    """Itself, or for a .tflite file what it was made from."""
    macs: int
    """Multiply-accumulates for an image."""
    tta: str = "none"
    """The test-time augmentation of its score."""


def with_tta(form: Form, tta: str) -> Form:
    """Return the same form, to be scored with test-time augmentation, which its name tells."""
    return dataclasses.replace(form, name=f"{form.name}, TTA {tta}", tta=tta)


def facts(form: Form) -> dict[str, float]:
    """Return what is known of the form's model without running it, as fields of `Stage`."""
    return {
        "sparsity": compress.sparsity(form.model),
        "parameters": form.model.count_params(),
        "macs": form.macs,
    }


def score(form: Form, data: "Data | DeviceData") -> Evaluation:
    """Score the form on the whole test set."""
    logger.info("scoring %s on the test set", form.file.name)
    return evaluate(form.file, data.test, expected_count=data.num_test, tta=form.tta)
