"""Training on JAX: one compiled step over data on the device, and on a GPU a compiled epoch.

Keras's own `fit` hands over every batch and waits for every step's answer. Here the data lie on
the device, where batches are drawn and augmented inside the step, and Python waits once an epoch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import keras
import numpy as np

from kcnn.data.device import DeviceData
from kcnn.data.device_augment import augmentation
from kcnn.data.labelled import LabelledImages

Examples = tuple[jax.Array, jax.Array]
"""All images and labels, on the device."""
Measured = dict[str, jax.Array]


class State(NamedTuple):
    """The values of all variables that a step changes, in Keras's order."""

    trainable: list[jax.Array]
    non_trainable: list[jax.Array]
    optimizer: list[jax.Array]


def fit(
    model: keras.Model,
    data: DeviceData,
    *,
    label_smoothing: float,
    callbacks: keras.callbacks.CallbackList,
) -> None:
    """Train a compiled model; the callbacks are called as `fit` of Keras does, but not for batches.

    The model's variables have their values whenever a callback runs; whatever it assigns to them
    (a learning rate, averaged or restored weights) is what training goes on with.

    Raises:
        ValueError: the model computes its own loss, which this loop would leave out.
    """
    if type(model).compute_loss is not keras.Model.compute_loss:
        raise ValueError("A model with a loss of its own, such as a pupil's, needs TensorFlow.")
    model.optimizer.build(model.trainable_variables)
    run_epoch = _epochs(model, data, label_smoothing)
    judge = _judge(model, data.batch_size)
    train, validation = (_on_device(part) for part in (data.arrays.train, data.arrays.validation))
    model.stop_training, logs = False, {}
    callbacks.on_train_begin()
    for epoch in range(callbacks.params["epochs"]):
        callbacks.on_epoch_begin(epoch)
        state, measured = run_epoch(_read(model), train, epoch)
        _write(model, state)
        logs = {name: float(value) for name, value in measured.items()}
        callbacks.on_test_begin()  # puts averaged weights in their place, if there are any
        judged = {name: float(value) for name, value in judge(_read(model), validation).items()}
        callbacks.on_test_end(judged)
        logs |= {f"val_{name}": value for name, value in judged.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)


def _epochs(model: keras.Model, data: DeviceData, label_smoothing: float) -> Callable:
    """Return the function (state, examples, epoch) -> (state, mean accuracy and loss)."""
    steps = data.steps_per_epoch
    step = _step(model, data, label_smoothing)
    loop = _loop(lambda number, carry, *given: _added(carry, step(carry[0], number, *given)))

    @jax.jit
    def draw(labels: jax.Array, epoch: int) -> tuple[jax.Array, jax.Array]:
        # All of an epoch's randomness but dropout's follows from (seed, epoch, step).
        key = jax.random.fold_in(jax.random.key(data.seed), epoch)
        order_key, steps_key = jax.random.split(key)
        order = jax.random.permutation(order_key, len(labels))[: steps * data.batch_size]
        return order.reshape(steps, -1), jax.random.split(steps_key, steps)

    def run(state: State, examples: Examples, epoch: int) -> tuple[State, Measured]:
        state, sums = loop(steps, (state, _nothing()), examples, draw(examples[1], epoch))
        return state, {name: value / steps for name, value in sums.items()}

    return run


def _step(model: keras.Model, data: DeviceData, label_smoothing: float) -> Callable:
    """Return the function (state, number of the step, examples, draws) -> (state, measured)."""
    classes = len(data.class_names)
    augment = augmentation(data.augment, mirror=data.arrays.mirror, num_classes=classes)
    differentiate = jax.value_and_grad(_loss(model, training=True), has_aux=True)

    def step(
        state: State, number: jax.Array, examples: Examples, draws: tuple[jax.Array, jax.Array]
    ) -> tuple[State, Measured]:
        (images, labels), (order, keys) = examples, draws
        batch, targets = augment(images[order[number]], labels[order[number]], keys[number])
        targets = _smoothed(targets, classes, label_smoothing)
        (loss, (accuracy, non_trainable)), gradients = differentiate(
            state.trainable, state.non_trainable, batch, targets
        )
        trainable, optimizer = model.optimizer.stateless_apply(
            state.optimizer, gradients, state.trainable
        )
        return State(trainable, non_trainable, optimizer), {"accuracy": accuracy, "loss": loss}

    return step


def _judge(model: keras.Model, batch_size: int) -> Callable:
    """Return the function (state, examples) -> accuracy and loss on all of them."""
    answer = _loss(model, training=False)

    def measure(state: State, images: jax.Array, labels: jax.Array) -> Measured:
        loss, (accuracy, _) = answer(state.trainable, state.non_trainable, images, labels)
        return {"accuracy": accuracy * len(labels), "loss": loss * len(labels)}

    def batch(number: jax.Array, carry: tuple[State, Measured], examples: Examples) -> Any:
        places = number * batch_size + jax.numpy.arange(batch_size)
        return _added(carry, (carry[0], measure(carry[0], *(each[places] for each in examples))))

    loop, rest = _loop(batch), jax.jit(measure)

    def run(state: State, examples: Examples) -> Measured:
        count = len(examples[1])
        whole = count // batch_size
        _, sums = loop(whole, (state, _nothing()), examples)
        if count % batch_size:
            last = rest(state, *(each[whole * batch_size :] for each in examples))
            _, sums = _added((state, sums), (state, last))
        return {name: value / count for name, value in sums.items()}

    return run


def _loop(body: Callable) -> Callable:
    """Return the function (steps, carry, *given) -> carry after `body(number, carry, *given)`.

    On an accelerator all steps are one call, so that it never waits for Python. XLA's convolutions
    on a CPU take three times as long inside a compiled loop; there Python runs ahead of the steps.
    """
    if jax.default_backend() != "cpu":

        def compiled(steps: int, carry: Any, *given: Any) -> Any:
            return jax.lax.fori_loop(0, steps, lambda number, now: body(number, now, *given), carry)

        return jax.jit(compiled, static_argnums=0)
    once = jax.jit(body)

    def stepwise(steps: int, carry: Any, *given: Any) -> Any:
        for number in range(steps):
            carry = once(number, carry, *given)
        return carry

    return stepwise


def _nothing() -> Measured:
    return {name: jax.numpy.zeros(()) for name in ("accuracy", "loss")}


def _added(carry: tuple[State, Measured], found: tuple[State, Measured]) -> tuple[State, Measured]:
    """Return the new state, and what was measured added to what there was."""
    return found[0], {name: value + found[1][name] for name, value in carry[1].items()}


def _loss(model: keras.Model, *, training: bool) -> Callable:
    """Return the function of variables and a batch -> (loss, (accuracy, non-trainable ones))."""

    def of(
        trainable: list[jax.Array], non_trainable: list[jax.Array], images: Any, targets: Any
    ) -> tuple[jax.Array, tuple[jax.Array, list[jax.Array]]]:
        logits, non_trainable, penalties = model.stateless_call(
            trainable, non_trainable, images, training=training, return_losses=True
        )
        soft = targets.ndim == 2
        entropy = keras.losses.categorical_crossentropy
        right = keras.metrics.categorical_accuracy
        if not soft:
            entropy = keras.losses.sparse_categorical_crossentropy
            right = keras.metrics.sparse_categorical_accuracy
        loss = keras.ops.mean(entropy(targets, logits, from_logits=True)) + sum(penalties)
        accuracy = keras.ops.mean(keras.ops.cast(right(targets, logits), "float32"))
        return loss, (accuracy, non_trainable)

    return of


def _smoothed(targets: jax.Array, classes: int, share: float) -> jax.Array:
    if not share:
        return targets
    shares = targets if targets.ndim == 2 else jax.nn.one_hot(targets, classes)
    return shares * (1 - share) + share / classes


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
