"""Whether a model takes raw pixels, as a command knows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from kcnn.cli.shared import recipe_of

if TYPE_CHECKING:
    import keras


def of_raw_pixels(
    model: "keras.Model", file: Path, input_range: str | None
) -> tuple["keras.Model", str | None]:
    """Return a model that takes raw pixels, and the range to tell export; None if nobody said."""
    from kcnn import models

    if input_range is not None:
        return models.take_raw_pixels(model, input_range), "0..255"
    return model, None if recipe_of(file) is None else "0..255"  # what kcnn trains on
