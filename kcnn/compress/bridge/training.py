"""The training loop of all jobs: batches come from the parent, reports go back to it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from kcnn.compress.child import read_array
from kcnn.training.objective import Objective, cross_entropy

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras

Report = Callable[[dict], None]
Loss = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]


@dataclass(frozen=True)
class Training:
    """How to train; the parent sends it as JSON.

    Attributes:
        epochs: as many as the parent sends batches for.
        steps_per_epoch: batches an epoch.
        learning_rate: of Adam at the start; a cosine takes it down to zero.
        dtypes: of the arrays of a batch: images, labels and, with a teacher, its logits.
        soft_labels: whether labels are probabilities [B, classes] or class numbers [B].
        temperature: of the teacher's logits; None without a teacher.
        alpha: weight of the teacher in the loss.
    """

    epochs: int
    steps_per_epoch: int
    learning_rate: float
    dtypes: Sequence[str]
    soft_labels: bool
    temperature: float | None = None
    alpha: float = 0.0

    @property
    def objective(self) -> Objective:
        """The loss."""
        return Objective(temperature=self.temperature, alpha=self.alpha)


class Fit(Protocol):
    """`train` as a job calls it, with the first two arguments bound."""

    def __call__(
        self,
        model: "tf_keras.Model",
        *,
        callbacks: Sequence["tf_keras.callbacks.Callback"] = (),
        measure: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """Train `model` in place; each epoch reports Keras's logs and what `measure` returns."""


def train(
    training: Training,
    report: Report,
    model: "tf_keras.Model",
    *,
    callbacks: Sequence["tf_keras.callbacks.Callback"] = (),
    measure: Callable[[], dict[str, float]] = dict,
) -> None:
    """Train `model` with Adam on the batches from the standard input.

    Each epoch reports Keras's logs and what `measure` returns.
    """
    import tf_keras

    tf_keras.utils.set_random_seed(0)  # of the dropout
    steps = training.steps_per_epoch
    rate: Any = tf_keras.optimizers.schedules.CosineDecay(
        training.learning_rate, training.epochs * steps
    )
    loss, accuracy = make_loss(training)
    model.compile(
        tf_keras.optimizers.Adam(rate, jit_compile=False),
        loss,
        metrics=[accuracy],
        jit_compile=False,
    )
    report_epoch = tf_keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: report(logs | measure())
    )
    model.fit(
        read_batches(training, model),
        steps_per_epoch=steps,
        epochs=training.epochs,
        verbose=cast(Any, 0),
        callbacks=[*callbacks, report_epoch],
    )


def make_loss(training: Training) -> tuple["tf_keras.losses.Loss | Loss", "str | Loss"]:
    """Return the loss and the accuracy for the targets that `read_batches` yields."""
    import tf_keras

    objective = training.objective
    if objective.has_teacher:
        return make_teacher_loss(objective)
    return cross_entropy(tf_keras.losses, probabilities=training.soft_labels), "accuracy"


def make_teacher_loss(objective: Objective) -> tuple[Loss, Loss]:
    """Return the loss and the accuracy of an objective with a teacher.

    Their targets are the labels as probabilities, and beside them the teacher's logits.
    """
    import tensorflow as tf
    import tf_keras

    ops: Any = SimpleNamespace(log_softmax=tf.nn.log_softmax, exp=tf.exp, sum=tf.reduce_sum)
    plain = cross_entropy(tf_keras.losses, probabilities=True)

    def loss(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labels, teacher = tf.split(targets, 2, axis=-1)
        distillation = tf.reduce_mean(objective.distillation_loss(teacher, logits, ops))
        return objective.add_teacher(plain(labels, logits), distillation)

    def accuracy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labels, _ = tf.split(targets, 2, axis=-1)
        return tf_keras.metrics.categorical_accuracy(labels, logits)

    return loss, accuracy


def read_batches(training: Training, model: "tf_keras.Model") -> "tf.data.Dataset":
    """Return the batches of images and targets that arrive on the standard input."""
    import tensorflow as tf

    stream = sys.stdin.buffer

    def read() -> Iterator[tuple[np.ndarray, ...]]:
        for _ in range(training.epochs * training.steps_per_epoch):
            yield tuple(read_array(stream) for _ in training.dtypes)

    def join(images: tf.Tensor, labels: tf.Tensor, teacher: tf.Tensor) -> tuple:
        if not training.soft_labels:
            labels = tf.one_hot(labels, model.output_shape[-1])
        return images, tf.concat([labels, teacher], axis=-1)

    labels_shape = model.output_shape if training.soft_labels else (None,)
    shapes = [model.input_shape, labels_shape, model.output_shape][: len(training.dtypes)]
    signature = tuple(map(tf.TensorSpec, shapes, training.dtypes))
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can delay the end by as much as an epoch
    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    if training.objective.has_teacher:
        dataset = dataset.map(join)
    return dataset.prefetch(2).with_options(options)
