"""Makes what a recipe's training needs: optimizer, schedule, callbacks, teacher."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import keras

from kcnn import models
from kcnn.callbacks import (
    BestModel,
    FreezeAfter,
    LearningRateLog,
    Lookahead,
    MonitorGuard,
    standard,
)
from kcnn.callbacks.loggers import check_installed
from kcnn.models.fits import check_fit
from kcnn.models.whitening import WHITENING
from kcnn.pipeline.setup import pretrained
from kcnn.recipe import Distill, Recipe, Train
from kcnn.run_dir import RunDir
from kcnn.training import Muon, TrainResult, distill, make_optimizer, schedules, train

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData
    from kcnn.recipe import Transfer


def training_for(
    recipe: Recipe, model: keras.Model, data: "Data | JaxData"
) -> Callable[..., TrainResult]:
    """Return a function that trains `model` as the recipe says.

    Its arguments are `callbacks`, `resume` and `checkpoint_steps`, as those of `kcnn.train`.

    Raises:
        ValueError: The recipe cannot be trained.
    """
    section = recipe.train
    for name in section.all_loggers:
        check_installed(name)
    options = {
        "epochs": section.epochs,
        "optimizer": optimizer_for(section, data),
        "label_smoothing": section.label_smoothing,
        "class_weight": section.class_weight,
        "on_divergence": section.on_divergence,
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
        return partial(_head_first, recipe, model, data, training)
    return training


def _head_first(
    recipe: Recipe,
    model: keras.Model,
    data: "Data | JaxData",
    training: Callable[..., TrainResult],
    resume: Path | None = None,
    checkpoint_steps: int | None = None,
    **options: Any,
) -> TrainResult:
    """Train the new head on the frozen base, then the end of the base with it."""
    section, head = cast("Transfer", recipe.transfer), None
    if section.head_epochs:
        head = train(
            model,
            data,
            epochs=section.head_epochs,
            learning_rate=section.resolved().head_learning_rate,
            class_weight=recipe.train.class_weight,
            callbacks=[LearningRateLog(), MonitorGuard()],
            resume=resume and resume / "head",
            checkpoint_steps=checkpoint_steps,
            on_divergence=recipe.train.on_divergence,
        )
    if section.trainable_from:
        models.fine_tune_from(model, section.trainable_from)
    trained = training(resume=resume, checkpoint_steps=checkpoint_steps, **options)
    return head.followed_by(trained) if head else trained


def optimizer_for(section: Train, data: "Data | JaxData") -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer, its schedule as long as the training."""
    return optimizer_at(section, _rate(section, data.steps_per_epoch))


def optimizer_at(
    section: Train, learning_rate: float | schedules.Schedule
) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer with another learning rate."""
    used = section.resolved()
    return make_optimizer(
        used.optimizer,
        learning_rate,
        momentum=used.momentum,
        nesterov=used.nesterov,
        weight_decay=used.weight_decay,
        decay=used.decay or "decoupled",
        decay_everything=used.decay_everything,
        norm_bias_rate=used.norm_bias_rate or 1.0,
        clip_norm=used.clip_norm,
        ema=used.ema,
        muon=used.muon and Muon(**asdict(used.muon)),
    )


def callbacks_for(
    section: Train, data: "Data | JaxData", folder: Path | None
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of the recipe's training, which write to `folder` if there is one."""
    used: Any = section.resolved()
    # Lookahead trains for its slow weights, which the model has after the last step.
    last = section.lookahead or section.keep == "last"
    options: dict[str, Any] = {"keep": "last" if last else "best"}
    options |= {"plateau": False, "patience": None}
    if section.schedule == "plateau":
        names = ("patience", "factor", "plateau_patience", "cooldown", "min_lr")
        options |= {"plateau": True} | {name: getattr(used, name) for name in names}
    callbacks = standard(folder, tensorboard="tensorboard" in section.all_loggers, **options)
    if folder:  # one file in place of a file an epoch
        best = BestModel(RunDir(folder).best)
        checkpoint = keras.callbacks.ModelCheckpoint
        callbacks = [best if isinstance(each, checkpoint) else each for each in callbacks]
    if section.whitening_epochs:
        callbacks = [FreezeAfter(WHITENING, epochs=section.whitening_epochs), *callbacks]
    if not section.lookahead:
        return callbacks
    # First, because the other callbacks validate and save the weights that it sets.
    return [Lookahead(section.epochs * data.steps_per_epoch), *callbacks]


def _teacher(section: Distill, data: "Data | JaxData") -> keras.Model:
    teacher = pretrained(section.teacher, purpose="teacher")
    check_fit(teacher, data.image_shape, len(data.class_names), called="teacher")
    return teacher


def _rate(train: Train, steps_per_epoch: int) -> float | schedules.Schedule:
    section: Any = train.resolved()  # in which no field that the schedule uses is None
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
        case "linear":
            return schedules.linear(rate, epochs=epochs, steps_per_epoch=steps_per_epoch)
        case "one_cycle":
            return schedules.one_cycle(rate, epochs=epochs, steps_per_epoch=steps_per_epoch)
        case "triangle":
            return schedules.triangle(rate, epochs=epochs, steps_per_epoch=steps_per_epoch)
    return rate  # ReduceLROnPlateau changes it
