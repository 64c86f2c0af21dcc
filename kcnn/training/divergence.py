"""A loss that is no longer finite ends a training before anything can be made of it."""

import math


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite.

    Attributes:
        epoch: in which epoch, from 1.
        step: in which of its steps, from 1; None where only the epoch is known.
        history: what the epochs before it gave, as in `TrainResult`.
    """

    history: dict[str, list[float]]

    def __init__(self, name: str, value: float, epoch: int, step: int | None = None) -> None:
        where = f"epoch {epoch}" if step is None else f"step {step} of epoch {epoch}"
        super().__init__(
            f"{name} became {value} in {where}: training diverged. Lower the learning rate."
        )
        self.epoch, self.step, self.history = epoch, step, {}


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
