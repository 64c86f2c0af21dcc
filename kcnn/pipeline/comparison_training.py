"""One training of a comparison: a variant from a seed, and its scores."""

import dataclasses
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from kcnn import comparison as comparison_room
from kcnn.comparison import Comparison
from kcnn.evaluation import PredictFn, evaluate
from kcnn.models.files import in_float32
from kcnn.pipeline.setup import build, load_for_tensorflow
from kcnn.pipeline.training_setup import callbacks_for, training_for
from kcnn.recipe import Recipe, Train
from kcnn.report.comparison_report import Outcome
from kcnn.training import TrainingDiverged

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data

_MEASURED = ("accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")

logger = logging.getLogger("kcnn")


def check_variant(recipe: Recipe, data: "Data", shifts: Sequence[int]) -> None:
    """Refuse a recipe that cannot be trained, or shifts as large as its images.

    Raises:
        ValueError: The recipe cannot be trained, or has a setting that a comparison would ignore,
            or a shift is too large.
    """
    comparison_room.check_variant(recipe)
    training_for(recipe, build(recipe, data), data)
    _callbacks(recipe.train, data, _Clock())
    side = min(data.image_shape[:2])
    if max(shifts, default=0) >= side:
        raise ValueError(f"shifts must be below the images' {side} pixels.")


def train_variant(comparison: Comparison, variant: str, seed: int, data_dir: str | None) -> Outcome:
    """Train a variant from a seed, and score it on the test images as they are and shifted."""
    recipe = dataclasses.replace(comparison.variants[variant], seed=seed)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    # Loaded for each training, though it takes seconds: only then do all variants see the same
    # images in the same order, and a comparison that continues the same as one that never stopped.
    data = load_for_tensorflow(recipe, data_dir)
    model = build(recipe, data)
    clock, diverged = _Clock(), None
    try:
        callbacks = _callbacks(recipe.train, data, clock)
        trained = training_for(recipe, model, data)(callbacks=callbacks)
        trained.check()
        history = trained.history
    except TrainingDiverged as error:  # a result, too
        logger.info("%s: %s", variant, error)
        history, diverged = dict.fromkeys(_MEASURED, []) | error.history, error.epoch
    outcome = Outcome(
        variant=variant,
        seed=seed,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        train_images=data.num_train,
        test_images=data.num_test,
        history={key: tuple(values) for key, values in history.items()}
        | {"seconds": tuple(clock.seconds)},
        diverged=diverged,
    )
    if diverged:
        return outcome
    model = in_float32(model)
    return dataclasses.replace(
        outcome,
        test_accuracy=shifted_accuracy(model, data, 0),
        shifted={pixels: shifted_accuracy(model, data, pixels) for pixels in comparison.shifts},
    )


def shifted_accuracy(model: keras.Model | PredictFn, data: "Data", pixels: int) -> float:
    """Return the accuracy on all test images, each moved by `pixels` to the right and down.

    The space that is left is black. 0 pixels give the accuracy on the images as they are.
    """
    import tensorflow as tf

    height, width, _ = data.image_shape

    def moved(images: "tf.Tensor", labels: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        padded = tf.pad(images, [[0, 0], [pixels, 0], [pixels, 0], [0, 0]])
        return padded[:, :height, :width], labels

    test = data.test.map(moved) if pixels else data.test
    return evaluate(model, test, expected_count=data.num_test).accuracy


class _Clock(keras.callbacks.Callback):
    """Takes every epoch's seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(round(time.perf_counter() - self._started, 2))


def _callbacks(section: Train, data: "Data", clock: _Clock) -> list[keras.callbacks.Callback]:
    """Return the recipe's callbacks without those that choose an epoch."""
    left_out = keras.callbacks.EarlyStopping
    return [
        clock,
        *(each for each in callbacks_for(section, data, None) if not isinstance(each, left_out)),
    ]
