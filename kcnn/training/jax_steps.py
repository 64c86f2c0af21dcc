"""One training step on JAX: pure functions of the values of all variables."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import keras

from kcnn.data.jax_augment import augmentation
from kcnn.data.jax_data import JaxData
from kcnn.training.class_weights import image_weights
from kcnn.training.objective import Objective, cross_entropy
from kcnn.training.placement import Placement

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


def training_step(
    model: keras.Model,
    data: JaxData,
    objective: Objective,
    teacher: keras.Model | None = None,
    placement: Placement = Placement(),  # noqa: B008 - frozen
) -> Callable[[jax.Array, Carry, Examples, Draws], Carry]:
    """Return the body of a loop over steps: (number, carry, examples, draws) -> carry.

    It carries the state and the sums of the loss and the accuracy.
    """
    on_batch = batch_step(model, data, objective, teacher, placement)

    def step(number: jax.Array, carry: Carry, examples: Examples, draws: Draws) -> Carry:
        (images, labels), (order, keys, turned) = examples, draws
        now = placement.shared(order[number])
        return on_batch(carry, images[now], labels[now], keys[number], turned[number])

    return step


def batch_step(
    model: keras.Model,
    data: JaxData,
    objective: Objective,
    teacher: keras.Model | None,
    placement: Placement,
) -> Callable[[Carry, jax.Array, jax.Array, jax.Array, jax.Array], Carry]:
    """Return a step: (carry, images, labels, key, who alternates now) -> carry."""
    classes = len(data.class_names)
    augment = augmentation(data.augment, mirror=data.arrays.mirror, num_classes=classes)
    loss_of = _loss(model, objective, teacher, training=True)
    differentiate = jax.value_and_grad(loss_of, has_aux=True)

    def step(
        carry: Carry, images: jax.Array, labels: jax.Array, key: jax.Array, turned: jax.Array
    ) -> Carry:
        state, sums = carry
        batch, targets = augment(images, labels, key, turned)
        batch, targets = placement.shared(batch), placement.shared(targets)
        weights = None
        if objective.class_weights is not None:
            weights = image_weights(objective.class_weights, targets)
        targets = objective.targets(
            targets, classes, soft_labels=targets.ndim == 2, one_hot=jax.nn.one_hot
        )
        (loss, (accuracy, non_trainable)), gradients = differentiate(
            state.trainable, state.non_trainable, batch, targets, weights
        )
        trainable, optimizer = model.optimizer.stateless_apply(
            state.optimizer, gradients, state.trainable
        )
        sums = added(sums, {"accuracy": accuracy, "loss": loss})
        return State(trainable, non_trainable, optimizer), sums

    return step


def validation(
    model: keras.Model,
    batch_size: int,
    placement: Placement = Placement(),  # noqa: B008 - frozen
) -> Callable[[State, Examples], Measured]:
    """Return the function (state, examples) -> accuracy and loss on all of them."""
    measure = measured_batch(model)

    def batch(number: jax.Array, sums: Measured, state: State, examples: Examples) -> Measured:
        places = placement.shared(number * batch_size + jax.numpy.arange(batch_size))
        return added(sums, measure(state, *(each[places] for each in examples)))

    loop, rest = repeated(batch), jax.jit(measure)

    def run(state: State, examples: Examples) -> Measured:
        count = len(examples[1])
        whole = count // batch_size
        zeros = {name: placement.everywhere(value) for name, value in no_sums().items()}
        sums = loop(0, whole, zeros, state, examples)
        if count % batch_size:
            sums = added(sums, rest(state, *(each[whole * batch_size :] for each in examples)))
        return {name: value / count for name, value in sums.items()}

    return run


def measured_batch(model: keras.Model) -> Callable[[State, jax.Array, jax.Array], Measured]:
    """Return the function (state, images, labels) -> sums of accuracy and loss on them."""
    loss_of = _loss(model, Objective(), None, training=False)

    def measure(state: State, images: jax.Array, labels: jax.Array) -> Measured:
        loss, (accuracy, _) = loss_of(state.trainable, state.non_trainable, images, labels)
        return {"accuracy": accuracy * len(labels), "loss": loss * len(labels)}

    return measure


def repeated(body: Callable) -> Callable:
    """Return (start, stop, carry, *given) -> carry, which calls `body(number, carry, *given)`.

    On an accelerator all steps are one call, so that it never waits for Python. XLA's convolutions
    on a CPU take three times as long inside a compiled loop; there Python runs ahead of the steps.
    Each step takes the memory of what the one before it returned; the first one that of a copy, as
    the model still holds the originals.
    """
    if jax.default_backend() != "cpu":

        @jax.jit  # for any number of steps: compiling again takes longer than thousands of them
        def compiled(start: int, stop: int, carry: Any, *given: Any) -> Any:
            return jax.lax.fori_loop(start, stop, lambda at, now: body(at, now, *given), carry)

        return compiled
    once = jax.jit(body, donate_argnums=1)

    def stepwise(start: int, stop: int, carry: Any, *given: Any) -> Any:
        carry = jax.tree.map(jax.numpy.copy, carry)
        for number in range(start, stop):
            carry = once(number, carry, *given)
        return carry

    return stepwise


def no_sums() -> Measured:
    """Return the sums before the first step."""
    return {name: jax.numpy.zeros(()) for name in ("accuracy", "loss")}


def added(sums: Measured, found: Measured) -> Measured:
    """Return the sums with what was found added to them."""
    return {name: value + found[name] for name, value in sums.items()}


def _loss(
    model: keras.Model, objective: Objective, teacher: keras.Model | None, *, training: bool
) -> Callable:
    """Return the function of variables and a batch -> (loss, (accuracy, non-trainable ones))."""

    def loss_of(
        trainable: list[jax.Array],
        non_trainable: list[jax.Array],
        images: Any,
        targets: Any,
        weights: Any = None,
    ) -> tuple[jax.Array, tuple[jax.Array, list[jax.Array]]]:
        called: Any = model.stateless_call(
            trainable, non_trainable, images, training=training, return_losses=True
        )
        logits, non_trainable, penalties = called
        soft = targets.ndim == 2
        ops: Any = keras.ops
        loss = cross_entropy(keras.losses, probabilities=soft)(targets, logits, weights)
        if teacher is not None:
            wanted = jax.lax.stop_gradient(teacher(images, training=False))
            distillation = objective.distillation_loss(wanted, logits, ops)
            loss = objective.add_teacher(loss, ops.mean(distillation))
        metrics = keras.metrics
        right = metrics.categorical_accuracy if soft else metrics.sparse_categorical_accuracy
        accuracy = ops.mean(ops.cast(right(targets, logits), "float32"))
        return loss + sum(penalties), (accuracy, non_trainable)

    return loss_of
