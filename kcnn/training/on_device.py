"""Training on JAX: one compiled step over data on the device, and on a GPU a compiled loop of them.

Keras's own `fit` hands over every batch and waits for every step's answer. Here the data lie on
the device, where batches are drawn and augmented inside the step, and Python waits once an epoch,
unless a callback wants to see more.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import keras
import numpy as np

from kcnn.callbacks import EveryFewSteps
from kcnn.data.jax_data import JaxData
from kcnn.data.labelled import LabelledImages
from kcnn.training.jax_steps import (
    Draws,
    Examples,
    Measured,
    State,
    judge,
    no_sums,
    repeated,
    training_step,
)

_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def fit(
    model: keras.Model,
    data: JaxData,
    *,
    label_smoothing: float,
    callbacks: keras.callbacks.CallbackList,
) -> None:
    """Train a compiled model; the callbacks are called as `fit` of Keras does.

    The model's variables have their values whenever a callback runs; whatever it assigns to them
    (a learning rate, averaged or restored weights) is what training goes on with. Those that look
    at batches cost a GPU much of its speed, `kcnn.callbacks.EveryFewSteps` less. Nobody is called
    for the batches of validation images.

    Raises:
        ValueError: the model has a training step or a loss of its own, or the optimizer scales
            the loss, which this loop would leave out.
    """
    _check(model)
    model.optimizer.build(model.trainable_variables)
    run_epoch = _epochs(model, data, label_smoothing, _watching(callbacks))
    score, validation = judge(model, data.batch_size), _on_device(data.arrays.validation)
    model.stop_training, model._initial_epoch, logs = False, None, {}
    callbacks.on_train_begin()
    # Keras's BackupAndRestore says there where an interrupted training goes on.
    first = model._initial_epoch or 0
    for epoch in range(first, callbacks.params["epochs"]):
        callbacks.on_epoch_begin(epoch)
        logs = run_epoch(epoch, epoch - first)
        callbacks.on_test_begin()  # puts averaged weights in their place, if there are any
        judged = {name: float(value) for name, value in score(_read(model), validation).items()}
        callbacks.on_test_end(judged)
        logs |= {f"val_{name}": value for name, value in judged.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _check(model: keras.Model) -> None:
    own = [
        name
        for name in ("train_step", "compute_loss", "compute_loss_and_updates")
        if getattr(type(model), name) is not getattr(keras.Model, name)
    ]
    if own:
        raise ValueError(
            f"A model with its own {own[0]}, such as a pupil, is trained by TensorFlow: set "
            "KERAS_BACKEND=tensorflow."
        )
    scaling = getattr(model.optimizer, "loss_scale_factor", None)
    if scaling or isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "Scaled losses, as mixed_float16 has them, are trained by TensorFlow: take "
            "mixed_bfloat16, which needs none, or set KERAS_BACKEND=tensorflow."
        )


def _watching(callbacks: keras.callbacks.CallbackList) -> list[keras.callbacks.Callback]:
    """Return those callbacks that look at batches for more than a progress bar."""
    stock = keras.callbacks.Callback()
    savers = (keras.callbacks.BackupAndRestore, keras.callbacks.ModelCheckpoint)

    def looks(each: keras.callbacks.Callback) -> bool:
        if isinstance(each, keras.callbacks.ProgbarLogger):
            return False
        if type(each) in savers and each.save_freq == "epoch":
            return False
        # A LambdaCallback's are functions of its own.
        mine, theirs = ([_function(getattr(of, h)) for h in _HOOKS] for of in (each, stock))
        return mine != theirs

    return [each for each in callbacks.callbacks if looks(each)]


def _function(method: Callable) -> Callable:
    return getattr(method, "__func__", method)


def _epochs(
    model: keras.Model,
    data: JaxData,
    label_smoothing: float,
    watching: list[keras.callbacks.Callback],
) -> Callable[[int, int], dict[str, float]]:
    """Return the function (epoch, epochs since the start) -> accuracy and loss; it trains."""
    steps, examples = data.steps_per_epoch, _on_device(data.arrays.train)
    loop = repeated(training_step(model, data, label_smoothing))
    draw = jax.jit(partial(draws_of_an_epoch, data))
    # How often somebody looks, in steps since the start; 0 if nobody does.
    every = math.gcd(*(each.every if isinstance(each, EveryFewSteps) else 1 for each in watching))

    def run(epoch: int, done: int) -> dict[str, float]:
        draws, sums, stop = draw(examples[1], epoch), no_sums(), 0
        while stop < steps:
            start = stop
            stop = min(start + every - (done * steps + start) % every, steps) if every else steps
            for each in watching:
                each.on_train_batch_begin(start, logs={})
            state, sums = loop(start, stop, (_read(model), sums), examples, draws)
            _write(model, state)
            logs = _means(sums, stop) if every == 1 else {}  # which waits for the device
            for each in watching:
                each.on_train_batch_end(stop - 1, logs=logs)
            if watching and model.stop_training:
                break
        return _means(sums, stop)

    return run


def _means(sums: Measured, count: int) -> dict[str, float]:
    return {name: float(value) / count for name, value in sums.items()}


def draws_of_an_epoch(data: JaxData, labels: jax.Array, epoch: jax.Array) -> Draws:
    """Draw an epoch: all its randomness but dropout's follows from (seed, epoch, step)."""
    steps = data.steps_per_epoch
    sides_key, epochs_key = jax.random.split(jax.random.key(data.seed))
    order_key, steps_key = jax.random.split(jax.random.fold_in(epochs_key, epoch))
    order = jax.random.permutation(order_key, len(labels))[: steps * data.batch_size]
    sides = jax.random.bernoulli(sides_key, shape=(len(labels),))
    return (
        order.reshape(steps, -1),
        jax.random.split(steps_key, steps),
        (sides ^ (epoch % 2 == 1))[order].reshape(steps, -1),
    )


def _on_device(part: LabelledImages) -> Examples:
    return jax.device_put(part.images), jax.device_put(part.labels.astype(np.int32))


def _read(model: keras.Model) -> State:
    return State(*([variable.value for variable in each] for each in _variables(model)))


def _write(model: keras.Model, state: State) -> None:
    for variables, values in zip(_variables(model), state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _variables(model: keras.Model) -> tuple[list[keras.Variable], ...]:
    return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
