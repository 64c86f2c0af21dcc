"""A loss or a weight that is not finite, and the error that says so."""

import math
from collections.abc import Sequence

import keras
import numpy as np


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite.

    Attributes:
        name: what is not finite, such as "val_loss".
        value: its value.
        epoch: in which epoch, from 1.
        step: in which of its steps, from 1; None where only the epoch is known.
        history: what the epochs before it gave, as in `TrainResult`.
    """

    history: dict[str, list[float]]

    def __init__(self, name: str, value: float, epoch: int, step: int | None = None) -> None:
        super().__init__(
            f"{name} became {value:.4g} in {place(epoch, step)}: training diverged. "
            "Lower the learning rate."
        )
        self.name, self.value, self.epoch, self.step = name, value, epoch, step
        self.history = {}

    def add(self, sentence: str) -> None:
        """Add a sentence to the message."""
        self.args = (f"{self.args[0]} {sentence}",)

    def add_rollbacks(self, count: int) -> None:
        """Say that the training went back before, so many times."""
        if count:
            times = "once" if count == 1 else f"{count} times"
            self.add(f"It went back to an earlier state {times} before.")


def place(epoch: int, step: int | None) -> str:
    """Return in words where a training is: epoch and step from 1.

    >>> place(2, 7), place(2, None)
    ('step 7 of epoch 2', 'epoch 2')
    """
    return f"epoch {epoch}" if step is None else f"step {step} of epoch {epoch}"


def check_finite(name: str, value: float, epoch: int, step: int | None = None) -> None:
    """Raise `TrainingDiverged` unless `value` is finite.

    Args:
        name: what it is, such as "val_loss".
        value: the loss.
        epoch: from 0.
        step: from 0, if it is known.
    """
    if not math.isfinite(value):
        raise TrainingDiverged(name, value, epoch + 1, None if step is None else step + 1)


def check_weights(
    model: keras.Model,
    values: Sequence[np.ndarray],
    memory: Sequence[np.ndarray],
    epoch: int,
    step: int | None = None,
) -> None:
    """Raise `TrainingDiverged` unless the trainable weights and the optimizer's memory are finite.

    A loss is that of the weights before the step: it does not show yet what the step did.

    Args:
        model: whose weights they are.
        values: of `model.variables`.
        memory: values of the variables of the optimizer.
        epoch: the running epoch, from 1.
        step: the last step that was taken, from 1; None at the end of the epoch.
    """
    trainable = {id(each) for each in model.trainable_variables}
    pairs = zip(model.variables, values, strict=True)
    weights = [value for variable, value in pairs if id(variable) in trainable]
    for name, arrays in (("a weight", weights), ("the optimizer's memory", memory)):
        if (value := first_not_finite(arrays)) is not None:
            raise TrainingDiverged(name, value, epoch, step)


def first_not_finite(arrays: Sequence[np.ndarray]) -> float | None:
    """Return a number among `arrays` that is NaN or infinite, None if there is none.

    >>> first_not_finite([np.array([1, 2]), np.array([0.5, np.inf])])
    inf
    """
    for array in arrays:
        values = np.asarray(array)
        if values.dtype.kind in "biu":
            continue
        values = values.astype(np.float32) if values.dtype.kind != "f" else values  # bfloat16
        finite = np.isfinite(values)
        if not finite.all():
            return float(values[~finite].flat[0])
    return None
