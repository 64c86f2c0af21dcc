"""Any training: the checks, the compiled model, the callbacks and the loop."""

import logging
import math
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import keras

from kcnn.callbacks import EpochLog, standard
from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.callbacks.divergence import TrainingDiverged
from kcnn.callbacks.plateau import is_scheduled
from kcnn.callbacks.settings import optimizer_settings
from kcnn.checks import check_count
from kcnn.data.checks import check_is_data
from kcnn.data.jax_data import JaxData
from kcnn.layers import fast_training
from kcnn.models.fits import check_fit
from kcnn.models.fold_batch_norms import fold_batch_norms
from kcnn.onednn import warn_without_onednn
from kcnn.progress import writes_lines
from kcnn.training.callback_checks import (
    Callbacks,
    averaging,
    check_callbacks,
    check_monitors,
    warn_of_compiled,
)
from kcnn.training.devices import check_devices, check_optimizer, scope_of
from kcnn.training.divergence import OnDivergence, check_policy
from kcnn.training.first_batch import check_first_batch
from kcnn.training.loop import fit
from kcnn.training.objective import Objective, cross_entropy
from kcnn.training.result import TrainResult, penalties_of, result_of
from kcnn.training.rollback import MOST, Rates, RollingBack
from kcnn.training.room import check_room, checkpoint_bytes
from kcnn.training.running import Steps, Training, Watched

if TYPE_CHECKING:
    from kcnn.data import Data

logger = logging.getLogger("kcnn")


def run_training(  # noqa: PLR0913 - what a training is made of
    model: keras.Model,
    data: "Data | JaxData",
    objective: Objective,
    *,
    epochs: int,
    optimizer: keras.optimizers.Optimizer,
    callbacks: Callbacks | None = None,
    run_dir: str | os.PathLike | None = None,
    teacher: keras.Model | None = None,
    checkpoints: Checkpoints | None = None,
    on_divergence: OnDivergence = "stop",
) -> TrainResult:
    """Train `model` for any objective: every training of kcnn goes through here.

    Args:
        model: as in `train`.
        data: as in `train`.
        objective: the loss.
        epochs: as in `train`.
        optimizer: as in `train`, with its learning rate.
        callbacks: as in `train`.
        run_dir: as in `train`.
        teacher: the model whose logits the objective mixes in, if it has a temperature.
        checkpoints: where the state is kept meanwhile, and from where the training goes on.
        on_divergence: as in `train`.
    """
    check_policy(on_divergence)
    check_count("epochs", epochs)
    check_is_data(data)
    check_fit(model, data.image_shape, len(data.class_names))
    check_first_batch(model, data, teacher)
    check_devices(model, data)
    check_optimizer(model, optimizer)
    warn_of_compiled(model, optimizer)
    if callbacks is None:
        callbacks = standard(run_dir, plateau=not is_scheduled(optimizer))
    elif run_dir is not None:
        raise ValueError(
            "run_dir is for the standard callbacks, which callbacks takes the place of: pass "
            f"callbacks=[*kcnn.callbacks.standard({str(run_dir)!r}), ...]. "
            f"Received: run_dir={str(run_dir)!r}"
        )
    check_callbacks(callbacks, optimizer)
    check_monitors(callbacks, model)
    if teacher is not None and type(teacher).__module__.startswith("keras."):
        teacher = fold_batch_norms(teacher)  # half as much again as fast
    with scope_of(model):
        trainee, steps = compile_steps(model, data, objective, optimizer, teacher)
        optimizer.build(trainee.trainable_variables)
    if checkpoints:
        check_room(checkpoints.folder, checkpoint_bytes(trainee, optimizer))
    all_callbacks = [*averaging(trainee, callbacks, optimizer), *callbacks]
    called = callback_list(all_callbacks, trainee, epochs, data.steps_per_epoch)
    training = Training(trainee, called, steps, epochs, checkpoints)
    called.callbacks = Watched(called.callbacks, training)
    rates = Rates(optimizer, called.callbacks)
    training.rolling_back = RollingBack(rates, MOST if on_divergence == "roll_back" else 0)
    guessing = objective.loss_of_guessing(len(data.class_names))
    training.guessing = guessing + penalties_of(model)
    training.settings = _settings(trainee, data, objective, epochs)
    if teacher is not None:
        training.settings["teacher"] = f"{teacher.name}, {teacher.count_params()} parameters"
    try:
        with checkpoints.alone() if checkpoints else nullcontext(), fast_training(trainee):
            fit(training, checkpoints.load() if checkpoints else None)
    except TrainingDiverged as error:
        error.history = trainee.history.history
        raise
    return result_of(model, training, callbacks, chance=math.log(len(data.class_names)))


def compile_steps(
    model: keras.Model,
    data: "Data | JaxData",
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    teacher: keras.Model | None = None,
) -> tuple[keras.Model, Steps]:
    """Return the compiled model that is trained, and how its steps are taken."""
    if not isinstance(data, JaxData):
        if keras.config.backend() != "tensorflow":
            raise ValueError(
                "TensorFlow trains on what kcnn.data.load returns: set KERAS_BACKEND=tensorflow. "
                "On JAX, train on kcnn.data.JaxData(kcnn.data.load_arrays(name)). Received: the "
                f"backend {keras.config.backend()!r}"
            )
        warn_without_onednn()
        from kcnn.training.loop_tensorflow import Student, TensorFlowSteps, compile_for

        trainee = model if teacher is None else Student(model, teacher, objective)
        compile_for(trainee, data, objective, optimizer)
        return trainee, TensorFlowSteps(trainee, data, objective)
    if keras.config.backend() != "jax":
        raise ValueError(
            "JaxData is trained on by the JAX backend: set KERAS_BACKEND=jax before Keras is "
            f"imported, or pass what kcnn.data.load returns. Received: {keras.config.backend()!r}"
        )
    from kcnn.training.loop_jax import JaxSteps

    model.compile(optimizer, cross_entropy(keras.losses, probabilities=False))
    if data.streams:
        from kcnn.training.loop_jax_stream import StreamedSteps

        return model, StreamedSteps(model, data, objective, teacher)
    return model, JaxSteps(model, data, objective, teacher)


def callback_list(
    callbacks: Callbacks, model: keras.Model, epochs: int, steps: int
) -> keras.callbacks.CallbackList:
    """Return the callbacks with `History` and what shows the progress.

    The progress bar is for terminals and notebooks; readers of the log get a line an epoch instead.
    """
    lines = writes_lines()
    return keras.callbacks.CallbackList(
        [*callbacks, *([EpochLog()] if lines else [])],
        add_history=True,
        add_progbar=not lines,
        model=model,
        verbose=0 if lines else 1,
        epochs=epochs,
        steps=steps,
    )


def _settings(
    model: keras.Model, data: "Data | JaxData", objective: Objective, epochs: int
) -> dict[str, Any]:
    """Return what must be equal when a training goes on, as plain JSON."""
    return {
        "backend": keras.config.backend(),
        "epochs": int(epochs),
        **optimizer_settings(model.optimizer),
        "label_smoothing": float(objective.label_smoothing),
        "temperature": objective.temperature and float(objective.temperature),
        "alpha": float(objective.alpha),
        "class_weights": objective.class_weights and list(objective.class_weights),
        "precision": sorted({layer.compute_dtype for layer in model.layers}),
        "num_train": data.num_train,
        "steps_per_epoch": data.steps_per_epoch,
        "class_names": list(data.class_names),
        **data.identity(),
    }
