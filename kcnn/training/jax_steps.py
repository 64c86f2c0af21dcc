"""The steps of a training on JAX: pure functions of the values of all variables."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import keras

from kcnn.data.jax_augment import augmentation
from kcnn.data.jax_data import JaxData

Examples = tuple[jax.Array, jax.Array]
"""All images and labels, on the device."""
Draws = tuple[jax.Array, jax.Array, jax.Array]
"""Of every step: which images [steps, B], a key [steps], and who alternates now [steps, B]."""
Measured = dict[str, jax.Array]


class State(NamedTuple):
    """The values of all variables that a step changes, in Keras's order."""

    trainable: list[jax.Array]
    non_trainable: list[jax.Array]
    optimizer: list[jax.Array]


Carry = tuple[State, Measured]


def training_step(model: keras.Model, data: JaxData, label_smoothing: float) -> Callable:
    """Return the body of a loop over steps: (number, carry, examples, draws) -> carry.

    What is carried is the state, and the sums of what was measured.
    """
    classes = len(data.class_names)
    augment = augmentation(data.augment, mirror=data.arrays.mirror, num_classes=classes)
    differentiate = jax.value_and_grad(_loss(model, training=True), has_aux=True)

    def step(number: jax.Array, carry: Carry, examples: Examples, draws: Draws) -> Carry:
        (state, sums), (images, labels), (order, keys, turned) = carry, examples, draws
        now = order[number]
        batch, targets = augment(images[now], labels[now], keys[number], turned[number])
        targets = _smoothed(targets, classes, label_smoothing)
        (loss, (accuracy, non_trainable)), gradients = differentiate(
            state.trainable, state.non_trainable, batch, targets
        )
        trainable, optimizer = model.optimizer.stateless_apply(
            state.optimizer, gradients, state.trainable
        )
        sums = _added(sums, {"accuracy": accuracy, "loss": loss})
        return State(trainable, non_trainable, optimizer), sums

    return step


def judge(model: keras.Model, batch_size: int) -> Callable:
    """Return the function (state, examples) -> accuracy and loss on all of them."""
    answer = _loss(model, training=False)

    def measure(state: State, images: jax.Array, labels: jax.Array) -> Measured:
        loss, (accuracy, _) = answer(state.trainable, state.non_trainable, images, labels)
        return {"accuracy": accuracy * len(labels), "loss": loss * len(labels)}

    def batch(number: jax.Array, carry: Carry, examples: Examples) -> Carry:
        state, sums = carry
        places = number * batch_size + jax.numpy.arange(batch_size)
        return state, _added(sums, measure(state, *(each[places] for each in examples)))

    loop, rest = repeated(batch), jax.jit(measure)

    def run(state: State, examples: Examples) -> Measured:
        count = len(examples[1])
        whole = count // batch_size
        _, sums = loop(0, whole, (state, no_sums()), examples)
        if count % batch_size:
            sums = _added(sums, rest(state, *(each[whole * batch_size :] for each in examples)))
        return {name: value / count for name, value in sums.items()}

    return run


def repeated(body: Callable) -> Callable:
    """Return (start, stop, carry, *given) -> carry, which calls `body(number, carry, *given)`.

    On an accelerator all steps are one call, so that it never waits for Python. XLA's convolutions
    on a CPU take three times as long inside a compiled loop; there Python runs ahead of the steps.
    """
    if jax.default_backend() != "cpu":

        @jax.jit  # for any number of steps: to compile anew takes longer than thousands of them
        def compiled(start: int, stop: int, carry: Any, *given: Any) -> Any:
            return jax.lax.fori_loop(start, stop, lambda at, now: body(at, now, *given), carry)

        return compiled
    once = jax.jit(body)

    def stepwise(start: int, stop: int, carry: Any, *given: Any) -> Any:
        for number in range(start, stop):
            carry = once(number, carry, *given)
        return carry

    return stepwise


def no_sums() -> Measured:
    """Return the sums before the first step."""
    return {name: jax.numpy.zeros(()) for name in ("accuracy", "loss")}


def _added(sums: Measured, found: Measured) -> Measured:
    return {name: value + found[name] for name, value in sums.items()}


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
