"""A training that diverges: how it is noticed, and what the error says."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from kcnn.errors import unknown

OnDivergence = Literal["stop", "roll_back"]
"""What becomes of a training that diverges: an error, or a second try at a lower rate."""

# A mean loss so many times that of guessing is an explosion. Untrained networks without any
# normalization reach about 100 times on raw pixels; exploding weights pass any bound in a few
# steps.
_EXPLOSION = 1000.0
# A model that predicts the same for every image ends at most a little below guessing, because the
# classes of a data set are not all equally frequent.
_GUESSES = 0.95


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

    def add_rollbacks(self, count: int) -> None:
        """Say that the training went back before, so many times."""
        if count:
            times = "once" if count == 1 else f"{count} times"
            self.args = (f"{self.args[0]} It went back to an earlier state {times} before.",)


def place(epoch: int, step: int | None) -> str:
    """Return in words where a training is: epoch and step from 1.

    >>> place(2, 7), place(2, None)
    ('step 7 of epoch 2', 'epoch 2')
    """
    return f"epoch {epoch}" if step is None else f"step {step} of epoch {epoch}"


def check_policy(on_divergence: str) -> None:
    """Raise ValueError unless `on_divergence` is "stop" or "roll_back"."""
    if on_divergence not in ("stop", "roll_back"):
        raise unknown("on_divergence", on_divergence, ("stop", "roll_back"))


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


def has_exploded(loss: float, earlier: Sequence[float], guessing: float) -> bool:
    """Return whether the mean loss of an epoch has risen out of all proportion.

    An earlier epoch was below the bound: a network that only begins with such a loss, because its
    inputs are not normalized, has not diverged.

    Args:
        loss: of the epoch.
        earlier: those of the epochs before.
        guessing: the loss of equal probabilities for all classes.
    """
    bound = _EXPLOSION * guessing
    return loss > bound > min(earlier, default=math.inf)


def ended_in_divergence(
    losses: Sequence[float], *, guessing: float, kept: float, chance: float
) -> bool:
    """Return whether a training whose losses are all finite diverged nevertheless.

    Weights may explode without a NaN, and the network then predicts the same for every image. The
    rule needs both signs. The loss of an epoch exploded, which no ordinary loss does: `guessing`
    bounds what smoothed labels, mixed labels and a teacher add. And the model that is kept is no
    better than guessing on plain labels, so a training that recovered, or that restored a better
    epoch, has not diverged. One that is stuck at guessing without an explosion has not either: it
    learns nothing, for which there are other reasons.

    Args:
        losses: the training loss of every epoch.
        guessing: the training loss of equal probabilities for all classes.
        kept: the validation loss of the epoch whose weights are kept, without penalties.
        chance: the validation loss of equal probabilities for all classes.

    >>> ended_in_divergence([2.1, 1e9, 2.31], guessing=2.3026, kept=2.31, chance=2.3026)
    True
    >>> ended_in_divergence([2.1, 1e9, 2.31], guessing=2.3026, kept=1.8, chance=2.3026)
    False
    """
    return max(losses) > _EXPLOSION * guessing and kept >= _GUESSES * chance
