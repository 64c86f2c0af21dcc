"""All that a training needs, made from a recipe; it can refuse the recipe, and writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import keras

from kcnn.litert.native_log import native_log
from kcnn.pipeline.setup import build
from kcnn.pipeline.training_setup import training_for
from kcnn.recipe import Recipe
from kcnn.training import TrainResult
from kcnn.training.devices import (
    Devices,
    build_scope_in,
    check_shares,
    count_of,
    scope_in,
    several,
)

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData


@dataclass(frozen=True)
class Prepared:
    """A training that can begin.

    Attributes:
        data: The images, split as the recipe says.
        model: The network, untrained or pretrained.
        training: Trains `model`; takes `callbacks`.
        spread: Whether it trains on several devices.
    """

    data: "Data | JaxData"
    model: keras.Model
    training: Callable[..., TrainResult]
    spread: bool = False


def prepare(recipe: Recipe, data: "Data | JaxData", devices: Devices | None = None) -> Prepared:
    """Set Keras's random seed, build the model and its optimizer.

    Raises:
        ValueError: The recipe cannot be trained, or not on so many devices.
    """
    with native_log():  # Keras imports TensorFlow for it, on JAX too
        keras.utils.set_random_seed(recipe.seed)
    engine = several(devices)
    with build_scope_in(engine):
        model = build(recipe, data)
        training = training_for(recipe, model, data)
    if engine is None:
        return Prepared(data, model, training)
    check_shares(data, count_of(engine))
    return Prepared(data, model, partial(_inside, engine, training), spread=True)


def _inside(engine: Any, training: Callable[..., TrainResult], **options: Any) -> TrainResult:
    with scope_in(engine):
        return training(**options)
