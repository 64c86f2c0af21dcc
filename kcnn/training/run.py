"""Train a model: compile it, check what can be checked, run the loop, return what came of it."""

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from kcnn.callbacks import EpochLog, standard
from kcnn.checks import check_count
from kcnn.data.jax_data import JaxData
from kcnn.layers import fast_training
from kcnn.models.fits import check_fit
from kcnn.models.fold_batch_norms import fold_batch_norms
from kcnn.training.callback_checks import Callbacks, averaging, check_callbacks
from kcnn.training.checkpoints import Checkpoints
from kcnn.training.devices import check_devices
from kcnn.training.divergence import TrainingDiverged
from kcnn.training.loop import Steps, Training, fit
from kcnn.training.objective import Objective, cross_entropy
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import Schedule, is_scheduled

if TYPE_CHECKING:
    from kcnn.data import Data

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class TrainResult:
    """A trained model and the course of its training.

    Attributes:
        model: the model that was passed, trained.
        history: one value an epoch of the loss and every metric, `val_` for validation.
        best_epoch: counted from 1 in `history`: the epoch whose weights the model has.
        seconds: wall-clock time.
        stop_reason: why the training ended.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    stop_reason: str

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])

    def followed_by(self, other: "TrainResult") -> "TrainResult":
        """Return this training and the `other` one of the same model as a single one."""
        history = {
            key: [*values, *other.history[key]]
            for key, values in self.history.items()
            if key in other.history
        }
        return TrainResult(
            model=other.model,
            history=history,
            best_epoch=self.epochs + other.best_epoch,
            seconds=self.seconds + other.seconds,
            stop_reason=other.stop_reason,
        )


def train(  # noqa: PLR0913 - what a training is made of; the defaults are for a first one
    model: keras.Model,
    data: "Data | JaxData",
    *,
    epochs: int,
    optimizer: str | keras.optimizers.Optimizer = "adam",
    learning_rate: float | Schedule = 1e-3,
    label_smoothing: float = 0.0,
    callbacks: Callbacks | None = None,
    run_dir: str | os.PathLike | None = None,
    resume: str | os.PathLike | None = None,
    checkpoint_steps: int | None = None,
) -> TrainResult:
    """Compile `model` for its logits and train it on `data.train`, judged on `data.validation`.

    For a loop of your own, `model.compile` and `model.fit(data.train, ...)` do as well: nothing
    here is needed to train.

    The order and the augmentation of an epoch follow from the data's seed and the epoch's number
    alone, and every training begins with epoch 0: two trainings on the same data get the same
    batches. A training that Keras's `BackupAndRestore` (of whole epochs) takes up again goes on
    with the batches that it would have got without the stop.

    With an optimizer that averages the weights (`make_optimizer(..., ema=0.999)`), the averages
    are what is judged, saved and kept, together with the averages of batch norms' statistics.

    Args:
        model: any Keras model from `data.image_shape` to one logit a class.
        data: what `kcnn.data.load` returns; the training labels may be soft. On the JAX backend,
            `kcnn.data.JaxData` stays in the accelerator's memory, and the accelerator waits for
            Python only where a callback looks at batches (`kcnn.callbacks.EveryFewSteps` looks
            less often).
        epochs: passes over the training images.
        optimizer: a name (`adam`, `adamw`, `rmsprop`, `sgd`) or an optimizer, of your own or from
            `kcnn.training.make_optimizer`, which brings its own learning rate.
        learning_rate: of the named optimizer: a number, or one of `kcnn.training.schedules`.
        label_smoothing: share of each training label that is spread evenly over all classes.
        callbacks: None for `kcnn.callbacks.standard(run_dir)`.
        run_dir: folder for the standard callbacks' checkpoints and `history.csv`.
        resume: folder in which the state of the training is kept after each epoch, and from which
            it goes on if a state is there: on a CPU with TensorFlow's deterministic operations it
            ends with the same bits as without the stop. A finished training is not repeated. A
            callback of your own takes part if it is a `kcnn.callbacks.Stateful`.
        checkpoint_steps: with `resume`, also keep the state after this many steps of an epoch, for
            epochs that take long.

    Raises:
        ValueError: the model does not fit the data, an argument is out of its range,
            ReduceLROnPlateau meets a schedule, or the state in `resume` is of another training.
        TrainingDiverged: a RuntimeError: the loss became NaN or infinite.
        Interrupted: a KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP came. The step was finished,
            the state is kept in `resume`, and the model has the best weights so far where the
            callbacks restore them.

    >>> import kcnn
    >>> logger.setLevel(logging.INFO)  # lines in the log instead of the progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> result = kcnn.train(kcnn.models.simple_cnn(), data, epochs=1)
    >>> result.epochs, result.stop_reason
    (1, 'finished')
    """
    return run_training(
        model,
        data,
        Objective(label_smoothing=label_smoothing),
        epochs=epochs,
        optimizer=make_optimizer(optimizer, learning_rate),
        callbacks=callbacks,
        run_dir=run_dir,
        checkpoints=checkpoints_in(resume, checkpoint_steps),
    )


def checkpoints_in(folder: str | os.PathLike | None, steps: int | None) -> Checkpoints | None:
    """Return where the arguments `resume` and `checkpoint_steps` keep the state."""
    if steps is not None:
        check_count("checkpoint_steps", steps)
        if folder is None:
            raise ValueError(f"checkpoint_steps={steps} needs a folder: pass resume=FOLDER too.")
    return None if folder is None else Checkpoints(Path(folder), steps)


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
    """
    check_count("epochs", epochs)
    check_fit(model, data.image_shape, len(data.class_names))
    check_devices()
    if callbacks is None:
        callbacks = standard(run_dir, plateau=not is_scheduled(optimizer))
    check_callbacks(callbacks, optimizer)
    if teacher is not None and type(teacher).__module__.startswith("keras."):
        teacher = fold_batch_norms(teacher)  # half as much again as fast
    trainee, steps = compile_steps(model, data, objective, optimizer, teacher)
    all_callbacks = [*averaging(trainee, callbacks, optimizer), *callbacks]
    called = callback_list(all_callbacks, trainee, epochs, data.steps_per_epoch)
    training = Training(trainee, called, steps, epochs, checkpoints)
    training.settings = _settings(data, objective, optimizer, epochs)
    try:
        with fast_training(trainee):
            fit(training, checkpoints.load() if checkpoints else None)
    except TrainingDiverged as error:
        error.history = trainee.history.history
        raise
    return _result(model, trainee.history, callbacks, training.seconds)


def _settings(
    data: "Data | JaxData",
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    epochs: int,
) -> dict[str, Any]:
    """Return what must be equal when a training goes on, as plain JSON."""
    config = json.loads(json.dumps(optimizer.get_config(), default=str))
    config.pop("name", None)  # Keras numbers the optimizers of a process
    return {
        "epochs": epochs,
        "optimizer": optimizer.__class__.__name__,
        **config,
        "label_smoothing": objective.label_smoothing,
        "temperature": objective.temperature,
        "alpha": objective.alpha,
        "num_train": data.num_train,
        "steps_per_epoch": data.steps_per_epoch,
        "class_names": list(data.class_names),
    }


def callback_list(
    callbacks: Callbacks, model: keras.Model, epochs: int, steps: int
) -> keras.callbacks.CallbackList:
    """Return the callbacks with `History` and what shows the progress.

    The progress bar is for terminals and notebooks; readers of the log get a line an epoch instead.
    """
    lines = logger.isEnabledFor(logging.INFO) and not sys.stdout.isatty()
    return keras.callbacks.CallbackList(
        [*callbacks, *([EpochLog()] if lines else [])],
        add_history=True,
        add_progbar=not lines,
        model=model,
        verbose=0 if lines else 1,
        epochs=epochs,
        steps=steps,
    )


def compile_steps(
    model: keras.Model,
    data: "Data | JaxData",
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    teacher: keras.Model | None = None,
) -> tuple[keras.Model, Steps]:
    """Return the compiled model that is trained, and how its steps are taken."""
    if not isinstance(data, JaxData):
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
    return model, JaxSteps(model, data, objective, teacher)


def _result(
    model: keras.Model, past: keras.callbacks.History, callbacks: Callbacks, seconds: float
) -> TrainResult:
    history, numbers = past.history, past.epoch
    epochs = len(history.get("loss", ()))
    if not epochs:
        raise ValueError(
            "No epoch was left to train: a callback such as BackupAndRestore found this training "
            "done. Ask for more epochs, or remove what it kept."
        )
    best, reason = epochs, "finished"
    for each in callbacks:
        if isinstance(each, keras.callbacks.EarlyStopping):
            if each.restore_best_weights and each.best_weights is not None:
                best = each.best_epoch + 1 - numbers[0]  # which is not 0 after a stop
            if each.stopped_epoch:
                reason = f"{each.monitor} was no better for {each.patience} epochs"
    logger.info("trained %d epochs in %.0f s: %s; best epoch %d", epochs, seconds, reason, best)
    return TrainResult(model, history, best, seconds, reason)
