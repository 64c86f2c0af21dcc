"""All that a training needs, made from a recipe; it can refuse the recipe, and writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras

from kcnn.pipeline.setup import build
from kcnn.pipeline.training_setup import training_for
from kcnn.recipe import Recipe
from kcnn.training import TrainResult

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData


@dataclass(frozen=True)
class Prepared:
    """A training that can begin.

    Attributes:
        data: The images, split as the recipe says.
        model: The network, untrained or pretrained.
        training: Trains `model`; takes `callbacks`.
    """

    data: "Data | JaxData"
    model: keras.Model
    training: Callable[..., TrainResult]


def prepare(recipe: Recipe, data: "Data | JaxData") -> Prepared:
    """Set Keras's random seed, build the model and its optimizer.

    Raises:
        ValueError: The recipe cannot be trained.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = build(recipe, data)
    return Prepared(data, model, training_for(recipe, model, data))
