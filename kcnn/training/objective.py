"""What a training minimizes: the one place where a loss is chosen.

It imports no Keras, because the process in which TF-MOT computes with Keras 2 uses it as well. The
functions take what they need of a library as an argument.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

TEMPERATURE = 4.0
"""Default temperature of a teacher's logits."""
ALPHA = 0.5
"""Default share of a teacher in the loss."""


class Ops(Protocol):
    """The operations of a loss; `keras.ops` has them under these names."""

    log_softmax: Callable[..., Any]
    exp: Callable[..., Any]
    sum: Callable[..., Any]


@dataclass(frozen=True)
class Objective:
    """The loss of a training: cross-entropy of the labels, with or without a teacher.

    The labels are class numbers [B], or probabilities [B, classes] where mixup or cutmix made them
    soft. With label smoothing all labels become probabilities. Only training labels are smoothed:
    the validation loss is the plain cross-entropy, so that trainings can be compared.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture" (arXiv:1512.00567),
    section 7. Distillation: Hinton et al. (arXiv:1503.02531).

    Attributes:
        label_smoothing: share of each label that is spread evenly over all classes, in [0, 1).
        temperature: of the teacher's and the student's logits; None without a teacher.
        alpha: share of the teacher in the loss, 0 to 1.
        class_weights: factor of each class in the training loss; None if all count alike.

    Raises:
        ValueError: a number is out of its range.

    >>> Objective(label_smoothing=0.1).needs_probabilities(soft_labels=False)
    True
    """

    label_smoothing: float = 0.0
    temperature: float | None = None
    alpha: float = 0.0
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                "label_smoothing must lie in [0, 1). "
                f"Received: label_smoothing={self.label_smoothing}"
            )
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(
                f"temperature must be above 0. Received: temperature={self.temperature}"
            )
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1. Received: alpha={self.alpha}")

    @property
    def has_teacher(self) -> bool:
        """Whether a teacher's logits are part of the loss."""
        return self.temperature is not None

    def needs_probabilities(self, *, soft_labels: bool) -> bool:
        """Return whether the loss takes probabilities in place of class numbers."""
        return soft_labels or self.label_smoothing > 0

    def targets(
        self, labels: Any, num_classes: int, *, soft_labels: bool, one_hot: Callable[..., Any]
    ) -> Any:
        """Return the training labels in the form that `cross_entropy` takes.

        Args:
            labels: class numbers [B], or probabilities [B, classes].
            num_classes: number of classes.
            soft_labels: whether `labels` are probabilities.
            one_hot: `tf.one_hot` or `jax.nn.one_hot`.
        """
        if not self.needs_probabilities(soft_labels=soft_labels):
            return labels
        shares = labels if soft_labels else one_hot(labels, num_classes)
        return shares * (1 - self.label_smoothing) + self.label_smoothing / num_classes

    def loss_of_guessing(self, num_classes: int) -> float:
        """Return the largest training loss of equal probabilities for all classes.

        It is the entropy of `num_classes` equal probabilities whatever the labels are, smoothed and
        mixed ones included, and at most as much for what a teacher adds.

        >>> round(Objective().loss_of_guessing(10), 4)
        2.3026
        """
        of_labels = math.log(num_classes)
        if self.temperature is None:
            return of_labels
        return float(self.add_teacher(of_labels, self.temperature**2 * of_labels))

    def add_teacher(self, cross_entropy: Any, distillation: Any) -> Any:
        """Return the two losses mixed: `alpha` of the teacher's, the rest of the labels'."""
        return self.alpha * distillation + (1 - self.alpha) * cross_entropy

    def distillation_loss(self, teacher: Any, student: Any, ops: Ops) -> Any:
        """Return T^2 KL(teacher || student) of the softened logits, one number an image [B].

        Args:
            teacher: logits [B, classes].
            student: logits [B, classes].
            ops: `keras.ops`, or TensorFlow's operations under the same names.
        """
        if self.temperature is None:
            raise ValueError("An objective without temperature has no teacher.")
        wanted = ops.log_softmax(teacher / self.temperature)
        predicted = ops.log_softmax(student / self.temperature)
        divergence = ops.sum(ops.exp(wanted) * (wanted - predicted), axis=-1)
        return self.temperature**2 * divergence


def cross_entropy(losses: Any, *, probabilities: bool) -> Any:
    """Return the loss of logits: a mean over the batch.

    Args:
        losses: `keras.losses` or `tf_keras.losses`.
        probabilities: whether the labels are probabilities [B, classes] or class numbers [B].
    """
    if probabilities:
        return losses.CategoricalCrossentropy(from_logits=True)
    return losses.SparseCategoricalCrossentropy(from_logits=True)
