"""Makes what a recipe names: data, model, teacher, optimizer, callbacks."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn import data as data_room
from kcnn import models
from kcnn.callbacks import LearningRateLog, Lookahead, MonitorGuard, standard
from kcnn.data.jax_data import JaxData
from kcnn.data.sources import source
from kcnn.models.files import in_float32
from kcnn.models.fits import check_fit
from kcnn.models.whitening import WHITENING
from kcnn.pipeline.backend import on_jax
from kcnn.pipeline.precision import resolve_precision
from kcnn.recipe import Distill, Recipe, Train, Transfer
from kcnn.run_dir import RunDir
from kcnn.training import TrainResult, distill, make_optimizer, schedules, train

if TYPE_CHECKING:
    from kcnn.data import Data

_WHITENED = 5000  # training images for the whitening layer, as in its paper

logger = logging.getLogger("kcnn")


def load(recipe: Recipe, data_dir: str | None) -> "Data | JaxData":
    """Return the recipe's data for Keras's backend, split and augmented as the recipe says."""
    return load_for_jax(recipe, data_dir) if on_jax() else load_for_tensorflow(recipe, data_dir)


def load_for_tensorflow(recipe: Recipe, data_dir: str | None) -> "Data":
    """Return the recipe's data as `tf.data.Dataset`, for TensorFlow."""
    section = recipe.data
    return data_room.load(
        source(section.name, image_size=section.image_size),
        batch_size=section.batch_size,
        augment=section.augment,
        validation=section.validation,
        seed=recipe.seed,
        limit=section.limit,
        data_dir=data_dir,
    )


def load_for_jax(recipe: Recipe, data_dir: str | None) -> JaxData:
    """Return the same images in the same splits as arrays, for JAX."""
    section = recipe.data
    arrays = data_room.load_arrays(
        source(section.name, image_size=section.image_size),
        validation=section.validation,
        seed=recipe.seed,
        limit=section.limit,
        data_dir=data_dir,
    )
    return JaxData(arrays, section.batch_size, section.augment, recipe.seed)


def build(recipe: Recipe, data: "Data | JaxData") -> keras.Model:
    """Return the recipe's model for the shape and the classes of `data`, new or pretrained.

    Raises:
        ValueError: There is no such model, or it does not fit the data.
    """
    if recipe.trained:
        model = _pretrained(recipe.trained, purpose="model")
        check_fit(model, data.image_shape, len(data.class_names))
        return model
    if recipe.transfer:
        base = _pretrained(recipe.transfer.base, purpose="base")
        check_fit(base, data.image_shape, base.output_shape[-1], called="base")
        # Built with the end trainable first, so that a wrong layer name is refused right here.
        end = recipe.transfer.trainable_from
        model = models.transfer(base, len(data.class_names), trainable_from=end)
        models.fine_tune_from(model, "logits")
        return model
    known = {"input_shape": data.image_shape, "num_classes": len(data.class_names)}
    if clash := known.keys() & recipe.model.options.keys():
        raise ValueError(f"model.options.{min(clash)} cannot be set: it follows from the data.")
    with _layers_in(resolve_precision(recipe).train.precision):
        model = models.build(recipe.model.name, **recipe.model.options, **known)
    if any(layer.name == WHITENING for layer in model.layers):
        models.whiten(model, _images(data, _WHITENED))
    logger.info("model: %s, %d parameters", recipe.model.name, model.count_params())
    return model


def training_for(
    recipe: Recipe, model: keras.Model, data: "Data | JaxData"
) -> Callable[..., TrainResult]:
    """Return a function that trains `model` as the recipe says; its argument is `callbacks`.

    Raises:
        ValueError: The recipe cannot be trained.
    """
    section = recipe.train
    options = {
        "epochs": section.epochs,
        "optimizer": optimizer_for(section, data),
        "label_smoothing": section.label_smoothing,
    }
    training = partial(train, model, data, **options)
    if recipe.distill:
        training = partial(
            distill,
            model,
            _teacher(recipe.distill, data),
            data,
            temperature=recipe.distill.temperature,
            alpha=recipe.distill.alpha,
            **options,
        )
    if recipe.transfer:
        return partial(_head_first, recipe.transfer, model, data, training)
    return training


def _head_first(
    section: Transfer,
    model: keras.Model,
    data: "Data | JaxData",
    training: Callable[..., TrainResult],
    **options: Any,
) -> TrainResult:
    """Train the new head on the frozen base, then the end of the base with it."""
    head = None
    if section.head_epochs:
        head = train(
            model,
            data,
            epochs=section.head_epochs,
            learning_rate=section.head_learning_rate,
            callbacks=[LearningRateLog(), MonitorGuard()],
        )
    if section.trainable_from:
        models.fine_tune_from(model, section.trainable_from)
    return head.followed_by(training(**options)) if head else training(**options)


def optimizer_for(section: Train, data: "Data | JaxData") -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer, its schedule as long as the training."""
    return optimizer_at(section, _rate(section, data.steps_per_epoch))


def optimizer_at(
    section: Train, learning_rate: float | schedules.Schedule
) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer with another learning rate."""
    return make_optimizer(
        section.optimizer,
        learning_rate,
        momentum=section.momentum,
        nesterov=section.nesterov,
        weight_decay=section.weight_decay,
        decay=section.decay,
        decay_everything=section.decay_everything,
        norm_bias_rate=section.norm_bias_rate,
        clip_norm=section.clip_norm,
        ema=section.ema,
    )


def callbacks_for(
    section: Train, data: "Data | JaxData", folder: Path | None
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of the recipe's training, which write to `folder` if there is one."""
    plateau = section.schedule == "plateau"
    callbacks = standard(
        folder,
        patience=section.patience if plateau else None,
        plateau=plateau,
        # Lookahead trains for its slow weights, which the model has after the last step.
        keep="last" if section.lookahead else "best",
        tensorboard=section.tensorboard,
    )
    if not section.lookahead:
        return callbacks
    # First, because the other callbacks validate and save the weights that it sets.
    return [Lookahead(section.epochs * data.steps_per_epoch), *callbacks]


def _pretrained(name: str, *, purpose: str) -> keras.Model:
    path = Path(name).expanduser()
    file = RunDir(path).model if path.is_dir() else path
    if not file.is_file():
        raise ValueError(
            f"There is no trained model {str(file)!r} to be the {purpose}: train one first, e.g. "
            f"with `kcnn run resnet20`, or name another run's folder."
        )
    return in_float32(models.load(file))  # a checkpoint has the precision of its training


def _teacher(section: Distill, data: "Data | JaxData") -> keras.Model:
    teacher = _pretrained(section.teacher, purpose="teacher")
    check_fit(teacher, data.image_shape, len(data.class_names), called="teacher")
    return teacher


def _rate(section: Train, steps_per_epoch: int) -> float | schedules.Schedule:
    rate, epochs = section.learning_rate, section.epochs
    match section.schedule:
        case "constant":
            return schedules.constant(rate)
        case "step":
            return schedules.step(
                rate,
                steps_per_epoch=steps_per_epoch,
                step_epochs=section.step_epochs,
                factor=section.factor,
            )
        case "multi_step":
            return schedules.multi_step(
                rate,
                steps_per_epoch=steps_per_epoch,
                milestones=section.milestones,
                factor=section.factor,
            )
        case "cosine":
            return schedules.cosine(
                rate,
                epochs=epochs,
                steps_per_epoch=steps_per_epoch,
                warmup_epochs=section.warmup_epochs,
            )
        case "one_cycle":
            return schedules.one_cycle(rate, epochs=epochs, steps_per_epoch=steps_per_epoch)
        case "triangle":
            return schedules.triangle(rate, epochs=epochs, steps_per_epoch=steps_per_epoch)
    return rate  # ReduceLROnPlateau changes it


def _images(data: "Data | JaxData", count: int) -> np.ndarray:
    """Return `count` training images, or all if there are fewer, not augmented."""
    if isinstance(data, JaxData):
        images = data.arrays.train.images
        return images[np.random.default_rng(data.seed).permutation(len(images))[:count]]
    batches = data.calibration.unbatch().take(count).batch(count).as_numpy_iterator()
    return next(batches)[0]


@contextmanager
def _layers_in(policy: str) -> Iterator[None]:
    """Build layers inside the `with` block in this precision; restore Keras's policy after it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
