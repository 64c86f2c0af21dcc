"""The learning-rate range test: a short training whose rate rises until the loss explodes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.callbacks.plateau import is_scheduled
from kcnn.checks import check_count
from kcnn.data.checks import check_is_data
from kcnn.layers import fast_training
from kcnn.models.fits import check_fit, check_graph
from kcnn.notebook import html_facts
from kcnn.training.loop import Training, fit
from kcnn.training.objective import Objective
from kcnn.training.optimizers import make_optimizer
from kcnn.training.trainer import callback_list, compile_steps

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

_SMOOTHING = 0.9  # of an exponential average over about ten batches
_EXPLOSION = 4.0  # times the lowest smoothed loss, as in fastai
_FEWEST_STEPS = 10


@dataclass(frozen=True)
class LearningRateCurve:
    """The loss of each batch of a range test, by the learning rate it was trained with.

    Attributes:
        rates: the learning rates [N].
        losses: the loss of each batch [N].
        smoothed: an exponential average of the losses [N], corrected for the bias of its start.
        suggestion: a tenth of the rate at which `smoothed` is lowest.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float

    def _repr_html_(self) -> str:
        facts = {"suggestion": self.suggestion, "batches": len(self.rates)}
        facts |= {"from": float(self.rates[0]), "to": float(self.rates[-1])}
        return html_facts("learning rate", facts)


def find_learning_rate(
    model: keras.Model,
    data: "Data | JaxData",
    *,
    optimizer: str | keras.optimizers.Optimizer = "sgd",
    smallest: float = 1e-5,
    largest: float = 10.0,
    steps: int = 100,
) -> LearningRateCurve:
    """Train on `steps` batches while the rate rises, and suggest a rate to begin with.

    Use it before a long training. The range test of Smith, "Cyclical Learning Rates"
    (arXiv:1506.01186), section 3.3, with an exponential rise. It ends early when the loss explodes.
    The suggestion is a tenth of the rate with the lowest smoothed loss, as in Howard & Gugger's
    fastai (arXiv:2002.04688): at the lowest point itself the loss is about to rise. The model's
    weights are restored at the end.

    Args:
        model: any Keras model from `data.image_shape` to one logit a class, with its initial
            weights.
        data: what `kcnn.data.load` returns; training images are repeated if there are too few.
        optimizer: a name, or an optimizer without a schedule.
        smallest: the first rate.
        largest: the last rate.
        steps: batches, at least 10.

    Raises:
        ValueError: the model does not fit the data, or an argument is out of its range.
        RuntimeError: the loss exploded at once, so that there is nothing to choose from.

    >>> import kcnn
    >>> keras.utils.set_random_seed(0)
    >>> data = kcnn.data.load("digits", limit=500, batch_size=50, augment="none")
    >>> curve = find_learning_rate(kcnn.models.lenet5(), data, steps=50)
    >>> 1e-6 <= curve.suggestion <= 1.0
    True
    """
    if not 0 < smallest < largest < math.inf:
        raise ValueError(
            "smallest and largest must be rates above 0 that rise. "
            f"Received: smallest={smallest}, largest={largest}"
        )
    check_count("steps", steps, minimum=_FEWEST_STEPS)
    check_is_data(data)
    check_fit(model, data.image_shape, len(data.class_names))
    check_graph(model, "The range test")
    optimizer = make_optimizer(optimizer, smallest if isinstance(optimizer, str) else None)
    if is_scheduled(optimizer):
        raise ValueError("The optimizer's learning rate is a schedule: give it a number instead.")
    rates, weights = np.geomspace(smallest, largest, steps), model.get_weights()
    try:
        losses, smoothed = _range_test(model, data, optimizer, rates)
    finally:
        model.set_weights(weights)
    if not smoothed or np.argmin(smoothed) == 0:
        raise RuntimeError(f"The loss only rose from {smallest} on: try a lower smallest rate.")
    return LearningRateCurve(
        rates=rates[: len(losses)],
        losses=np.array(losses),
        smoothed=np.array(smoothed),
        suggestion=float(rates[np.argmin(smoothed)] / 10),
    )


def _range_test(
    model: keras.Model,
    data: "Data | JaxData",
    optimizer: keras.optimizers.Optimizer,
    rates: np.ndarray,
) -> tuple[list[float], list[float]]:
    """Return the loss at each rate, raw and smoothed, up to where it explodes."""
    # A second model of the same layers: the caller's keeps what it was compiled with.
    trainee = keras.Model(model.inputs[0], model.outputs[0])
    trainee, steps = compile_steps(trainee, data, Objective(), optimizer)
    rising, epochs = _RisingRate(rates), math.ceil(len(rates) / data.steps_per_epoch)
    callbacks = callback_list([rising], trainee, epochs, data.steps_per_epoch)
    with fast_training(trainee):
        fit(Training(trainee, callbacks, steps, epochs, guards=False, validates=False))
    return rising.losses, rising.smoothed


class _RisingRate(keras.callbacks.Callback):
    """Sets the rate before each batch, and stops after the last one or when the loss explodes."""

    def __init__(self, rates: np.ndarray) -> None:
        super().__init__()
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._rates, self._average, self._sum = rates, 0.0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._sum = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        model: Any = self.model
        model.optimizer.learning_rate = self._rates[len(self.losses)]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        model: Any = self.model
        # The loss in the logs is the mean of the epoch's batches so far.
        total = (logs or {})["loss"] * (batch + 1)
        value, self._sum = total - self._sum, total
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * value
        if not math.isfinite(self._average):
            model.stop_training = True
            return
        self.losses.append(value)
        self.smoothed.append(self._average / (1 - _SMOOTHING ** len(self.losses)))
        exploded = self.smoothed[-1] > _EXPLOSION * min(self.smoothed)
        model.stop_training = exploded or len(self.losses) == len(self._rates)
