"""What a command prints of an exported file: how often it predicts what its model predicts."""

from pathlib import Path
from typing import TYPE_CHECKING

from kcnn.cli.console import console

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data

_COMPARED = 1000


def print_agreement(model: "keras.Model", file: Path, data: "Data") -> None:
    """Print how often file and model agree, on images that neither of them was made from."""
    from kcnn.answers import Logits
    from kcnn.evaluation import agreement
    from kcnn.models.final_activation import final_activation

    keras_model = Logits(model.predict_on_batch, final_activation(model))  # looked at already
    images = data.validation.unbatch().take(_COMPARED).batch(100)
    found = agreement(file, keras_model, images)
    console.print(
        f"accuracy {found.first_accuracy:.2%}, the Keras model {found.second_accuracy:.2%}; both "
        f"predict the same class for {found.share:.2%} of {found.count:,} validation images"
    )
    chance = 1 / len(data.class_names)
    if found.second_accuracy < min(1.5 * chance, chance + 0.05):
        console.print(
            f"warning: the Keras model itself predicts {found.second_accuracy:.2%}, as much as "
            "guessing. If its pixels were scaled before it got them, say how: "
            "--input-range 0..1, -1..1 or mean,std."
        )
