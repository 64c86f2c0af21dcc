"""Training on JAX: one compiled step over data on the device, and on a GPU a compiled epoch.

Keras's own `fit` hands over every batch and waits for every step's answer. Here the data lie on
the device, where batches are drawn and augmented inside the step, and Python waits once an epoch.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import keras
import numpy as np

from kcnn.data.device import DeviceData
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

# They have a method for batches, and what they do there is done at an epoch's end as well.
_FOR_EPOCHS = (keras.callbacks.ProgbarLogger, keras.callbacks.SwapEMAWeights)


def fit(
    model: keras.Model,
    data: DeviceData,
    *,
    label_smoothing: float,
    callbacks: keras.callbacks.CallbackList,
) -> None:
    """Train a compiled model; the callbacks are called as `fit` of Keras does.

    The model's variables have their values whenever a callback runs; whatever it assigns to them
    (a learning rate, averaged or restored weights) is what training goes on with. One that looks
    at batches sees every one, which costs a GPU much of its speed, or with an attribute `every`
    the steps of which that is a divisor, counted from the first of the training.

    Raises:
        ValueError: the model computes its own loss, which this loop would leave out.
    """
    if type(model).compute_loss is not keras.Model.compute_loss:
        raise ValueError("A model with a loss of its own, such as a pupil's, needs TensorFlow.")
    model.optimizer.build(model.trainable_variables)
    run_epoch = _epochs(model, data, label_smoothing, _watching(callbacks))
    score = judge(model, data.batch_size)
    train, validation = (_on_device(part) for part in (data.arrays.train, data.arrays.validation))
    model.stop_training, logs = False, {}
    callbacks.on_train_begin()
    for epoch in range(callbacks.params["epochs"]):
        callbacks.on_epoch_begin(epoch)
        state, measured = run_epoch(_read(model), train, epoch)
        _write(model, state)
        logs = {name: float(value) for name, value in measured.items()}
        callbacks.on_test_begin()  # puts averaged weights in their place, if there are any
        judged = {name: float(value) for name, value in score(_read(model), validation).items()}
        callbacks.on_test_end(judged)
        logs |= {f"val_{name}": value for name, value in judged.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _watching(callbacks: keras.callbacks.CallbackList) -> list[keras.callbacks.Callback]:
    """Return those callbacks that look at batches for more than a progress bar."""
    stock, hooks = keras.callbacks.Callback, ("on_train_batch_begin", "on_train_batch_end")
    return [
        each
        for each in callbacks.callbacks
        if any(getattr(type(each), hook) is not getattr(stock, hook) for hook in hooks)
        and not isinstance(each, _FOR_EPOCHS)
        and getattr(each, "save_freq", None) != "epoch"
    ]


def _epochs(
    model: keras.Model,
    data: DeviceData,
    label_smoothing: float,
    watching: list[keras.callbacks.Callback],
) -> Callable:
    """Return the function (state, examples, epoch) -> (state, mean accuracy and loss)."""
    steps = data.steps_per_epoch
    loop = repeated(training_step(model, data, label_smoothing))
    draw = jax.jit(partial(draws_of_an_epoch, data))
    every = math.gcd(*(getattr(each, "every", 1) for each in watching))  # 0 if nobody watches

    def run(state: State, examples: Examples, epoch: int) -> tuple[State, Measured]:
        draws, carry, stop = draw(examples[1], epoch), (state, no_sums()), 0
        while stop < steps:
            start = stop
            stop = min(start + every - (epoch * steps + start) % every, steps) if every else steps
            for each in watching:
                each.on_train_batch_begin(start)
            state, sums = carry = loop(start, stop, carry, examples, draws)
            if watching:
                _write(model, state)
                for each in watching:
                    each.on_train_batch_end(stop - 1, {n: v / stop for n, v in sums.items()})
                carry = _read(model), sums
        return carry[0], {name: value / steps for name, value in carry[1].items()}

    return run


def draws_of_an_epoch(data: DeviceData, labels: jax.Array, epoch: jax.Array) -> Draws:
    """Draw an epoch: all its randomness but dropout's follows from (seed, epoch, step)."""
    steps = data.steps_per_epoch
    of_training = jax.random.key(data.seed)
    order_key, steps_key = jax.random.split(jax.random.fold_in(of_training, epoch))
    order = jax.random.permutation(order_key, len(labels))[: steps * data.batch_size]
    sides = jax.random.bernoulli(of_training, shape=(len(labels),))
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
