"""Knowledge distillation: a small model learns from the answers of a large one."""

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import keras

from kcnn.models.fits import check_fit
from kcnn.models.fold_batch_norms import fold_batch_norms
from kcnn.training.fit import TrainResult, train

if TYPE_CHECKING:
    from kcnn.data import Data


def distill(
    student: keras.Model,
    teacher: keras.Model,
    data: "Data",
    *,
    temperature: float = 4.0,
    alpha: float = 0.5,
    **options: Any,
) -> TrainResult:
    """Train `student` on the labels and on the answers that `teacher` gives to the same images.

    Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531). The training
    loss is `alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * cross-entropy`, where the
    softmax of both is taken of the logits divided by the temperature `T`. The validation loss is
    the plain cross-entropy, so that it can be compared with a training without teacher.

    What is returned, and what checkpoints hold, is the student alone. The teacher answers in
    inference mode, as it is now, and is not changed.

    Args:
        student: as the model of `train`.
        teacher: a trained model for the same images and classes, ending in logits.
        data: what `kcnn.data.load` returns.
        temperature: above 0; the higher, the more the small probabilities count.
        alpha: share of the teacher in the loss, 0 to 1.
        **options: those of `train`: epochs, optimizer, learning_rate, ...

    Raises:
        ValueError: one of the models does not fit the data, or an argument is out of its range.
        RuntimeError: the loss became NaN.

    >>> import kcnn, logging
    >>> logging.getLogger("kcnn").setLevel(logging.INFO)  # lines in the log, no progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> student, teacher = kcnn.models.simple_cnn(), kcnn.models.simple_cnn()
    >>> distill(student, teacher, data, epochs=1).model is student
    True
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0. Received: temperature={temperature}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1. Received: alpha={alpha}")
    for called, model in (("student", student), ("teacher", teacher)):
        check_fit(model, data.image_shape, len(data.class_names), called=called)
    pupil = _Pupil(student, teacher, temperature=float(temperature), alpha=float(alpha))
    return dataclasses.replace(train(pupil, data, **options), model=student)


class _Pupil(keras.Model):
    """The student's own layers, with the teacher in the training loss."""

    def __init__(
        self, student: keras.Model, teacher: keras.Model, *, temperature: float, alpha: float
    ) -> None:
        super().__init__(student.inputs[0], student.outputs[0], name=student.name)
        self._temperature, self._alpha = temperature, alpha
        if type(teacher).__module__.startswith("keras."):  # no class of its own, with its own call
            teacher = fold_batch_norms(teacher)  # half as much again as fast
        # As functions, since Keras would take models among the attributes for parts of this one.
        self._ask_teacher = lambda images: teacher(images, training=False)
        self._save_student = student.save

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of the labels; in training, mixed with that of the teacher's answers."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        answers = keras.ops.stop_gradient(self._ask_teacher(x))
        # What the student's layers add to the loss, such as an L2 penalty, stays whole.
        lesson = _softened_kl(answers, y_pred, self._temperature) + sum(self.losses)
        return self._alpha * lesson + (1 - self._alpha) * loss

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, **options: Any) -> None:
        """Save the student, which stock Keras can load."""
        self._save_student(filepath, overwrite=overwrite, **options)


def _softened_kl(teacher: Any, student: Any, temperature: float) -> Any:
    """Return T^2 times the mean Kullback-Leibler divergence of two batches of logits."""
    wanted = keras.ops.log_softmax(teacher / temperature)
    told = keras.ops.log_softmax(student / temperature)
    divergence = keras.ops.sum(keras.ops.exp(wanted) * (wanted - told), axis=-1)
    return temperature**2 * keras.ops.mean(divergence)
