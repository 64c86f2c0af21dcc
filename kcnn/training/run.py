"""The front door: train a model on class labels."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.checks import check_count
from kcnn.data.checks import check_is_data
from kcnn.training.callback_checks import Callbacks
from kcnn.training.class_weights import ClassWeight, class_weights
from kcnn.training.devices import scope_of
from kcnn.training.divergence import OnDivergence
from kcnn.training.objective import Objective
from kcnn.training.optimizers import make_optimizer
from kcnn.training.result import TrainResult
from kcnn.training.schedules import Schedule
from kcnn.training.trainer import run_training

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

logger = logging.getLogger("kcnn")


def train(  # noqa: PLR0913 - what a training is made of; the defaults are for a first one
    model: keras.Model,
    data: "Data | JaxData",
    *,
    epochs: int,
    optimizer: str | keras.optimizers.Optimizer = "adam",
    learning_rate: float | Schedule | None = None,
    label_smoothing: float = 0.0,
    class_weight: ClassWeight | None = None,
    callbacks: Callbacks | None = None,
    run_dir: str | os.PathLike | None = None,
    resume: str | os.PathLike | None = None,
    checkpoint_steps: int | None = None,
    on_divergence: OnDivergence = "stop",
) -> TrainResult:
    """Compile `model` for its logits and train it on `data.train`, judged on `data.validation`.

    For a loop of your own, `model.compile` and `model.fit(data.train, ...)` do as well: nothing
    here is needed to train.

    The order and the augmentation of an epoch follow from the data's seed and the epoch's number
    alone, and every training begins with epoch 0: two trainings on the same data get the same
    batches. A training that Keras's `BackupAndRestore` (of whole epochs) takes up again goes on
    with the batches that it would have got without the stop.

    A model computes on several devices where Keras is set to that: on JAX by
    `keras.distribution.set_distribution(keras.distribution.DataParallel())`, on TensorFlow if it
    was built in the scope of a `tf.distribute.MirroredStrategy`. Each device then computes its
    share of every batch; the loss is that of the whole batch, and the learning rate stays as it is.

    With an optimizer that averages the weights (`make_optimizer(..., ema=0.999)`), the averages
    are what is judged, saved and kept, together with the averages of batch norms' statistics.

    Args:
        model: any Keras model from `data.image_shape` to one logit a class.
        data: what `kcnn.data.load` returns; the training labels may be soft. On the JAX backend,
            `kcnn.data.JaxData` stays in the accelerator's memory, and the accelerator waits for
            Python only where a callback looks at batches (`kcnn.callbacks.EveryFewSteps` looks
            less often).
        epochs: passes over the training images.
        optimizer: a name (`adam`, `adamw`, `muon`, `rmsprop`, `sgd`) or an optimizer, of your
            own or from `kcnn.training.make_optimizer`, which brings its own learning rate.
        learning_rate: of the named optimizer: a number, or one of `kcnn.training.schedules`; 1e-3
            if not given.
        label_smoothing: share of each training label that is spread evenly over all classes.
        class_weight: how much the images of each class count in the training loss: "balanced" for
            classes that count alike however many images they have, or factors by class number or
            name, 1 for the rest.
        callbacks: None for `kcnn.callbacks.standard(run_dir)`.
        run_dir: folder for the standard callbacks' checkpoints and `history.csv`; callbacks of your
            own name theirs.
        resume: folder in which the state of the training is kept after each epoch, and from which
            it goes on if a state is there: on a CPU with TensorFlow's deterministic operations it
            ends with the same bits as without the stop. A finished training is not repeated. A
            callback of your own takes part if it is a `kcnn.callbacks.Stateful`.
        checkpoint_steps: with `resume`, also keep the state after this many steps of an epoch, for
            epochs that take long.
        on_divergence: what to do where a loss becomes NaN or infinite: "stop", or "roll_back" to
            the last good state (that of the last epoch, or of the last `checkpoint_steps`) and try
            again with half the learning rate, at most three times. The rate is lowered whatever
            sets it: a number, a schedule or a LearningRateScheduler; not a callback of your own. An
            epoch whose loss rose a thousandfold above that of guessing counts as diverged, too.

    Raises:
        ValueError: the model does not fit the data, an argument is out of its range or would be
            ignored, ReduceLROnPlateau meets a schedule, or the state in `resume` is of another
            training.
        TrainingDiverged: a RuntimeError: the loss, a weight or what a callback monitors became
            NaN or infinite.
        Interrupted: a KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP came. The step was finished,
            the state is kept in `resume`, and the model has the best weights so far where the
            callbacks restore them.

    >>> import kcnn
    >>> logger.setLevel(logging.INFO)  # lines in the log instead of the progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> result = kcnn.train(kcnn.models.simple_cnn(), data, epochs=1)
    >>> result.epochs, result.stop_reason
    (1, 'epochs')
    """
    with scope_of(model):
        optimizer = make_optimizer(optimizer, learning_rate)
    return run_training(
        model,
        data,
        Objective(label_smoothing, class_weights=class_weights(class_weight, check_is_data(data))),
        epochs=epochs,
        optimizer=optimizer,
        callbacks=callbacks,
        run_dir=run_dir,
        checkpoints=checkpoints_in(resume, checkpoint_steps),
        on_divergence=on_divergence,
    )


def checkpoints_in(folder: str | os.PathLike | None, steps: int | None) -> Checkpoints | None:
    """Return where the arguments `resume` and `checkpoint_steps` keep the state."""
    if steps is not None:
        check_count("checkpoint_steps", steps)
        if folder is None:
            raise ValueError(f"checkpoint_steps={steps} needs a folder: pass resume=FOLDER too.")
    return None if folder is None else Checkpoints(Path(folder), steps)
