"""The steps of a training on JAX: one compiled step over data in the accelerator's memory.

Keras's own `fit` hands over every batch and waits for every step's result. Here the data lie in the
accelerator's memory, where batches are drawn and augmented inside the step; on a GPU many steps are
one compiled loop. Python waits once an epoch, unless a callback wants to see more.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import keras
import numpy as np

from kcnn.callbacks import EveryFewSteps
from kcnn.data.jax_data import JaxData
from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.data.sampling import balanced_places
from kcnn.training.jax_steps import (
    Draws,
    Examples,
    Measured,
    State,
    no_sums,
    repeated,
    training_step,
    validation,
)
from kcnn.training.objective import Objective
from kcnn.training.placement import Placement
from kcnn.training.running import Logs, Training

_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class JaxSteps:
    """The steps of a compiled model on `JaxData`.

    The model's variables have their values whenever a callback runs; whatever it assigns to them
    (a learning rate, averaged or restored weights) is what training goes on with. Callbacks that
    look at batches make the accelerator wait, `kcnn.callbacks.EveryFewSteps` less often. No
    callback is called for the batches of validation images.

    Raises:
        ValueError: the model has a training step or a loss of its own, or the optimizer scales
            the loss, which these steps would leave out.
    """

    look_after = 50  # steps, after which a signal is noticed

    def __init__(
        self,
        model: keras.Model,
        data: JaxData,
        objective: Objective,
        teacher: keras.Model | None = None,
    ) -> None:
        check_model(model)
        self._model, self.per_epoch = model, data.steps_per_epoch
        self._placement = Placement.of_keras()
        self._given = (model, data, objective, teacher, self._placement)
        self._draw = jax.jit(partial(draws_of_an_epoch, data))
        self._hold(data)
        self.rebuild()
        self.reset()

    def _hold(self, data: JaxData) -> None:
        """Copy all images to the devices."""
        self._train = self._in_memory(data.arrays.train)
        self._validation = self._in_memory(data.arrays.validation)
        self._validate = validation(self._model, data.batch_size, self._placement)

    def begin(self, epoch: int, step: int) -> None:
        """Do nothing: every epoch is drawn when it comes."""

    def rebuild(self) -> None:
        """Trace the step again."""
        self._loop = repeated(training_step(*self._given))

    def reset(self) -> None:
        """Set the sums to zero."""
        self._sums = self._placed(no_sums())

    def run(self, training: Training) -> Logs:
        """Take the steps that are left of the epoch, many at a time where no callback looks."""
        model, epoch, stop = self._model, training.epoch, training.step
        watching = watching_batches(training.callbacks)
        every = _interval(watching)
        draws = self._draw(self._train[1], epoch)
        while stop < self.per_epoch:
            start, stop = stop, self._next_stop(training, every, stop)
            for each in watching:
                each.on_train_batch_begin(start, logs={})
            carry = (self._read(), self._sums)
            state, self._sums = self._loop(start, stop, carry, self._train, draws)
            write_values(model, state)
            logs = means(self._sums, stop) if every == 1 else {}  # which waits for the device
            for each in watching:
                each.on_train_batch_end(stop - 1, logs=logs)
                training.note_stop(each)
            stopped = training.count(stop)
            if training.interrupted or (watching and stopped):
                break
        return means(self._sums, stop)

    def validate(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return loss and accuracy on the validation images."""
        callbacks.on_test_begin()  # puts averaged weights in their place, if there are any
        measured = self._validate(self._read(), self._validation)
        logs = {name: float(value) for name, value in measured.items()}
        callbacks.on_test_end(logs)
        return logs

    def agree(self, signal: int | None, step: int) -> int | None:
        """Return the signal of this process, or from time to time that of any process."""
        if self._placement.processes == 1:
            return signal
        if step % self.look_after and step < self.per_epoch:
            return None  # no step at which the processes ask each other
        return self._placement.highest(signal or 0) or None

    def sums(self) -> list[np.ndarray]:
        """Return the sums of the running epoch."""
        return [np.array(value) for value in self._sums.values()]

    def restore_sums(self, sums: list[np.ndarray]) -> None:
        """Go on from these sums."""
        self._sums = self._placed(dict(zip(no_sums(), sums, strict=True)))

    def _placed(self, values: Mapping[str, Any]) -> Measured:
        return {name: self._placement.everywhere(value) for name, value in values.items()}

    def _in_memory(self, part: LabelledImages | ImageReader) -> Examples:
        everywhere = self._placement.everywhere
        images = part.decoded().images
        return everywhere(images), everywhere(part.labels.astype(np.int32))

    def _read(self) -> State:
        """Return the values of all variables, also of those that a callback has just assigned."""
        place = self._placement.everywhere if self._placement.count > 1 else lambda value: value
        return State(
            *([place(variable.value) for variable in each] for each in _variables(self._model))
        )

    def _next_stop(self, training: Training, every: int, start: int) -> int:
        """Return the step after which a callback or the saver looks at the model again."""
        stops = [self.per_epoch, start + self.look_after - start % self.look_after]
        if every:  # in steps since the training began
            done = (training.epoch - training.first_epoch) * self.per_epoch + start
            stops.append(start + every - done % every)
        keeps = training.checkpoints.every if training.checkpoints else None
        if keeps:  # in steps of the epoch
            stops.append(start + keeps - start % keeps)
        return min(stops)


def check_model(model: keras.Model) -> None:
    """Refuse a model or an optimizer whose own way to train these steps would leave out."""
    own = [
        name
        for name in ("train_step", "compute_loss", "compute_loss_and_updates")
        if getattr(type(model), name) is not getattr(keras.Model, name)
    ]
    if own:
        raise ValueError(
            f"A model with its own {own[0]} is trained by TensorFlow: set KERAS_BACKEND=tensorflow."
        )
    scaling = getattr(model.optimizer, "loss_scale_factor", None)
    if scaling or isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "Scaled losses, as mixed_float16 has them, are trained by TensorFlow: take "
            "mixed_bfloat16, which needs none, or set KERAS_BACKEND=tensorflow."
        )


def _interval(watching: list[keras.callbacks.Callback]) -> int:
    """Return after how many steps a callback looks at the model, 0 if none does."""
    return math.gcd(*(each.every if isinstance(each, EveryFewSteps) else 1 for each in watching))


def watching_batches(callbacks: keras.callbacks.CallbackList) -> list[keras.callbacks.Callback]:
    """Return those callbacks that look at batches for more than a progress bar."""
    stock = keras.callbacks.Callback()
    savers = (keras.callbacks.BackupAndRestore, keras.callbacks.ModelCheckpoint)

    def looks(each: keras.callbacks.Callback) -> bool:
        if isinstance(each, keras.callbacks.ProgbarLogger):
            return False
        if type(each) in savers and getattr(each, "save_freq", None) == "epoch":
            return False
        # A LambdaCallback's are functions of its own.
        mine, theirs = ([_function(getattr(of, h)) for h in _HOOKS] for of in (each, stock))
        return mine != theirs

    return [each for each in callbacks.callbacks if looks(each)]


def _function(method: Callable) -> Callable:
    return getattr(method, "__func__", method)


def means(sums: Measured, count: int) -> Logs:
    """Return the means of sums over so many steps."""
    return {name: float(value) / count for name, value in sums.items()}


def draws_of_an_epoch(data: JaxData, labels: jax.Array, epoch: jax.Array) -> Draws:
    """Draw an epoch: all its randomness but dropout's follows from (seed, epoch, step)."""
    steps = data.steps_per_epoch
    sides_key, epochs_key = jax.random.split(jax.random.key(data.seed))
    order_key, steps_key = jax.random.split(jax.random.fold_in(epochs_key, epoch))
    order = jax.random.permutation(order_key, len(labels))
    if data.sampling == "balanced":
        by_class = order[jax.numpy.argsort(labels[order], stable=True)]
        places = balanced_places(data.arrays.train.labels, steps * data.batch_size)
        order = jax.random.permutation(jax.random.fold_in(order_key, 1), by_class[places])
    order = order[: steps * data.batch_size]
    sides = jax.random.bernoulli(sides_key, shape=(len(labels),))
    return (
        order.reshape(steps, -1),
        jax.random.split(steps_key, steps),
        (sides ^ (epoch % 2 == 1))[order].reshape(steps, -1),
    )


def write_values(model: keras.Model, state: State) -> None:
    """Give the variables of the model and its optimizer the values of a state."""
    for variables, values in zip(_variables(model), state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _variables(model: keras.Model) -> tuple[list[keras.Variable], ...]:
    return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
