"""A training that explodes without a NaN, and what is done where it diverges."""

from collections.abc import Sequence
from typing import Literal

from kcnn.errors import unknown

OnDivergence = Literal["stop", "roll_back"]
"""What becomes of a training that diverges: an error, or a second try at a lower rate."""

# A mean loss so many times that of guessing is an explosion. Untrained networks without any
# normalization reach about 100 times on raw pixels; exploding weights pass any bound in a few
# steps.
_EXPLOSION = 1000.0
# In the first epoch no earlier one shows how the network began, so the bound lies far above any
# beginning: the logits would have to differ by millions. Soft labels and a teacher are part of the
# loss of guessing, as are the penalties of the first weights.
_FIRST_EXPLOSION = 1e6
# A model that predicts the same for every image ends at most a little below guessing, because the
# classes of a data set are not all equally frequent; one that is kept from before an explosion has
# at most begun to learn.
_GUESSES = 0.9


def check_policy(on_divergence: str) -> None:
    """Raise ValueError unless `on_divergence` is "stop" or "roll_back"."""
    if on_divergence not in ("stop", "roll_back"):
        raise unknown("on_divergence", on_divergence, ("stop", "roll_back"))


def has_exploded(loss: float, earlier: Sequence[float], guessing: float) -> bool:
    """Return whether the mean loss of an epoch has risen out of all proportion.

    An earlier epoch was below the bound: a network that only begins with such a loss, because its
    inputs are not normalized, has not diverged. For the first epoch the bound is higher.

    Args:
        loss: of the epoch.
        earlier: those of the epochs before.
        guessing: the loss of equal probabilities for all classes, penalties included.

    >>> [has_exploded(loss, [], guessing=2.3) for loss in (2e4, 1.9e17)]
    [False, True]
    >>> has_exploded(2e4, [2.2], guessing=2.3)
    True
    """
    if not earlier:
        return loss > _FIRST_EXPLOSION * guessing
    return loss > _EXPLOSION * guessing > min(earlier)


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
    >>> ended_in_divergence([2.2, 1e9, 2.31], guessing=2.3026, kept=2.15, chance=2.3026)
    True
    >>> ended_in_divergence([2.1, 1e9, 2.31], guessing=2.3026, kept=1.8, chance=2.3026)
    False
    """
    return max(losses) > _EXPLOSION * guessing and kept >= _GUESSES * chance
