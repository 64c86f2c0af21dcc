"""Knowledge distillation: a small model learns from the logits of a large one."""

from typing import TYPE_CHECKING, Any

import keras

from kcnn.data.checks import check_is_data
from kcnn.models.fits import check_fit, check_graph
from kcnn.training.class_weights import class_weights
from kcnn.training.devices import scope_of
from kcnn.training.objective import ALPHA, TEMPERATURE, Objective
from kcnn.training.optimizers import make_optimizer
from kcnn.training.result import TrainResult
from kcnn.training.run import checkpoints_in
from kcnn.training.trainer import run_training

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData


def distill(
    student: keras.Model,
    teacher: keras.Model,
    data: "Data | JaxData",
    *,
    temperature: float = TEMPERATURE,
    alpha: float = ALPHA,
    **options: Any,
) -> TrainResult:
    """Train `student` on the labels and on the logits of `teacher` for the same images.

    Use it for a small model where a better large one is at hand. Hinton et al., "Distilling the
    Knowledge in a Neural Network" (arXiv:1503.02531). The training loss is
    `alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * cross-entropy`, where the softmax of
    both is taken of the logits divided by the temperature `T`. The validation loss is the plain
    cross-entropy, so that it can be compared with a training without teacher.

    The result and its checkpoints hold the student alone. The teacher predicts in inference mode
    and is not changed.

    Args:
        student: as the model of `train`.
        teacher: a trained model for the same images and classes, ending in logits.
        data: what `kcnn.data.load` returns.
        temperature: above 0; the higher, the more the small probabilities count.
        alpha: share of the teacher in the loss, 0 to 1.
        **options: those of `train`: epochs, optimizer, learning_rate, resume, ...

    Raises:
        ValueError: one of the models does not fit the data, or an argument is out of its range.
        TrainingDiverged: as `train`.

    >>> import kcnn, logging
    >>> logging.getLogger("kcnn").setLevel(logging.INFO)  # lines in the log, no progress bar
    >>> data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    >>> student, teacher = kcnn.models.simple_cnn(), kcnn.models.simple_cnn()
    >>> distill(student, teacher, data, epochs=1).model is student
    True
    """
    smoothing = options.pop("label_smoothing", 0.0)
    weights = class_weights(options.pop("class_weight", None), check_is_data(data))
    objective = Objective(smoothing, float(temperature), float(alpha), weights)
    for called, model in (("student", student), ("teacher", teacher)):
        check_fit(model, data.image_shape, len(data.class_names), called=called)
    check_graph(student, "Distillation")
    checkpoints = checkpoints_in(options.pop("resume", None), options.pop("checkpoint_steps", None))
    with scope_of(student):
        optimizer = make_optimizer(
            options.pop("optimizer", "adam"), options.pop("learning_rate", None)
        )
    return run_training(
        student,
        data,
        objective,
        optimizer=optimizer,
        teacher=teacher,
        checkpoints=checkpoints,
        **options,
    )
