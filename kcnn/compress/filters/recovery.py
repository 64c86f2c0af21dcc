"""Train a slim model until it has recovered its accuracy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from kcnn.callbacks import LearningRateLog, MonitorGuard
from kcnn.training import TrainResult, train
from kcnn.training.distillation import distill
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import cosine

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData


def recover(
    model: keras.Model,
    data: "Data | JaxData",
    *,
    teacher: keras.Model | None = None,
    epochs: int = 10,
    learning_rate: float = 0.02,
    weight_decay: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainResult:
    """Train a model from which `kcnn.slim` removed filters, until it has recovered its accuracy.

    SGD with momentum starts at `learning_rate` and follows a cosine down to zero. For other
    optimizers, use `kcnn.train` or `kcnn.distill`.

    Args:
        model: `kcnn.slim(...).model`. It is trained in place.
        data: what `kcnn.data.load` returns.
        teacher: a trained model from whose logits `model` learns too, with the defaults of
            `kcnn.distill`. The model before `kcnn.slim` is a good teacher.
        epochs: passes over the training images.
        learning_rate: at the start.
        weight_decay: every step shrinks each weight by `learning_rate * weight_decay` of itself.
        callbacks: Keras callbacks for the training, beside the ones that log the learning rate and
            refuse a loss that is not finite.

    Raises:
        ValueError: a model does not fit the data, or an argument is out of its range.
        RuntimeError: the loss became NaN.

    >>> import kcnn, logging
    >>> logging.getLogger("kcnn").setLevel(logging.INFO)  # lines in the log, no progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> model = kcnn.models.build("simple_cnn")
    >>> slim = kcnn.slim(model, macs=0.5).model
    >>> recover(slim, data, teacher=model, epochs=1).model is slim
    True
    """
    rate = cosine(learning_rate, epochs=epochs, steps_per_epoch=data.steps_per_epoch)
    optimizer = make_optimizer("sgd", rate, weight_decay=weight_decay)
    called = [LearningRateLog(), MonitorGuard(), *callbacks]
    if teacher is None:
        return train(model, data, epochs=epochs, optimizer=optimizer, callbacks=called)
    return distill(model, teacher, data, epochs=epochs, optimizer=optimizer, callbacks=called)
