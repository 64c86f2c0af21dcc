"""Learning-rate schedules in epochs, all of them of Keras's own classes.

They work with any Keras optimizer and are saved with it. Steps count from 0:
`rate(epoch * steps_per_epoch)` is the rate of the first step of that epoch.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.checks import check_positive
from kcnn.layers.appearance import appears_as

Schedule = keras.optimizers.schedules.LearningRateSchedule

# As in PyTorch's OneCycleLR: the rise starts at the highest rate divided by _START, and the fall
# ends at that starting rate divided by _END.
_START, _END = 25.0, 1e4


def constant(learning_rate: float) -> Schedule:
    """Return a rate that never changes.

    >>> rate = constant(0.1)
    >>> [round(float(rate(step)), 3) for step in (0, 1000)]
    [0.1, 0.1]
    """
    check_positive("learning_rate", learning_rate)
    return keras.optimizers.schedules.ExponentialDecay(float(learning_rate), 1, 1.0)


def step(
    learning_rate: float, *, steps_per_epoch: int, step_epochs: float = 30, factor: float = 0.1
) -> Schedule:
    """Return a rate that is multiplied by `factor` every `step_epochs` epochs.

    Networks after AlexNet and VGG were trained so on ImageNet: by 0.1 every 30 epochs.

    Raises:
        ValueError: an argument is out of its range.

    >>> rate = step(0.1, steps_per_epoch=100)
    >>> [round(float(rate(each)), 6) for each in (0, 2999, 3000, 6000)]
    [0.1, 0.1, 0.01, 0.001]
    """
    check_positive("learning_rate", learning_rate)
    _check_factor(factor)
    length = round(step_epochs * steps_per_epoch)
    if length < 1:
        raise ValueError(f"step_epochs must be above 0. Received: step_epochs={step_epochs}")
    return keras.optimizers.schedules.ExponentialDecay(
        float(learning_rate), length, factor, staircase=True
    )


def multi_step(
    learning_rate: float,
    *,
    steps_per_epoch: int,
    milestones: Sequence[float],
    factor: float = 0.1,
) -> Schedule:
    """Return a rate that is multiplied by `factor` after each of `milestones` epochs.

    He et al. (arXiv:1512.03385) train on CIFAR-10 with 0.1 and milestones (82, 123) of 164.

    Raises:
        ValueError: there are no milestones, they do not rise, or `factor` is out of its range.

    >>> rate = multi_step(0.1, steps_per_epoch=100, milestones=(2, 3))
    >>> [round(float(rate(each)), 6) for each in (0, 199, 200, 300)]
    [0.1, 0.1, 0.01, 0.001]
    """
    check_positive("learning_rate", learning_rate)
    _check_factor(factor)
    starts = [round(milestone * steps_per_epoch) for milestone in milestones]
    if not starts or starts != sorted(set(starts)) or starts[0] < 1:
        raise ValueError(
            f"milestones must be epochs above 0 that rise. Received: {list(milestones)}"
        )
    # Keras takes the last step with the old rate, not the first with the new one.
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [start - 1 for start in starts],
        [float(learning_rate) * factor**fallen for fallen in range(len(starts) + 1)],
    )


def cosine(
    learning_rate: float, *, epochs: int, steps_per_epoch: int, warmup_epochs: float = 0.0
) -> Schedule:
    """Return a rate that rises to `learning_rate`, then falls along a cosine to zero.

    Loshchilov & Hutter, "SGDR" (arXiv:1608.03983), without restarts. PyTorch's `T_max` is `epochs`
    without the warm-up.

    Raises:
        ValueError: the warm-up leaves no epoch to fall.

    >>> rate = cosine(0.1, epochs=10, steps_per_epoch=100, warmup_epochs=1)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100, 550, 1000)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    check_positive("learning_rate", learning_rate)
    if not 0 <= warmup_epochs < epochs:
        raise ValueError(f"warmup_epochs must lie in [0, {epochs}). Received: {warmup_epochs}")
    warmup = round(warmup_epochs * steps_per_epoch)
    fall = epochs * steps_per_epoch - warmup
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(float(learning_rate), fall)
    return keras.optimizers.schedules.CosineDecay(
        0.0, fall, warmup_target=float(learning_rate), warmup_steps=warmup
    )


def linear(learning_rate: float, *, epochs: int, steps_per_epoch: int) -> Schedule:
    """Return a rate that falls from `learning_rate` along a line to zero at the last step.

    It suits Muon, which needs no warm-up: airbench94_muon has it
    (https://github.com/KellerJordan/cifar10-airbench).

    >>> rate = linear(0.1, epochs=10, steps_per_epoch=100)
    >>> [round(float(rate(step)), 3) for step in (0, 250, 1000)]
    [0.1, 0.075, 0.0]
    """
    check_positive("learning_rate", learning_rate)
    return keras.optimizers.schedules.PolynomialDecay(
        float(learning_rate), epochs * steps_per_epoch, end_learning_rate=0.0
    )


def one_cycle(
    learning_rate: float, *, epochs: int, steps_per_epoch: int, rise: float = 0.3
) -> Schedule:
    """Return a rate that rises to `learning_rate` during a first part, then falls to almost zero.

    Smith & Topin, "Super-Convergence" (arXiv:1708.07120), with the ends of PyTorch's OneCycleLR:
    it starts at 1/25 of the rate and ends at 1/250,000. It rises along a line, as in the paper,
    and falls along a cosine, as in PyTorch; the momentum does not change.

    Args:
        learning_rate: the highest rate.
        epochs: length of the training.
        steps_per_epoch: such as `data.steps_per_epoch`.
        rise: share of the training during which the rate rises.

    Raises:
        ValueError: the rise or the fall has no step.

    >>> rate = one_cycle(0.5, epochs=10, steps_per_epoch=100)
    >>> [round(float(rate(step)), 6) for step in (0, 150, 300, 650, 1000)]
    [0.02, 0.26, 0.5, 0.250001, 2e-06]
    """
    check_positive("learning_rate", learning_rate)
    total, rising = _rise(rise, epochs, steps_per_epoch)
    start = float(learning_rate) / _START
    return keras.optimizers.schedules.CosineDecay(
        start,
        total - rising,
        alpha=1 / (_START * _END),
        warmup_target=float(learning_rate),
        warmup_steps=rising,
    )


def triangle(
    learning_rate: float,
    *,
    epochs: int,
    steps_per_epoch: int,
    rise: float = 0.23,
    start: float = 0.2,
    end: float = 0.07,
) -> Schedule:
    """Return a rate that rises along a line, then falls along another one.

    The schedule of airbench (Jordan 2024, arXiv:2404.00498), with its numbers. A `.keras` file
    holds the falling part alone, as Keras's own `PolynomialDecay`: use it for inference, and go on
    with a training from its state.

    Args:
        learning_rate: the highest rate.
        epochs: length of the training.
        steps_per_epoch: such as `data.steps_per_epoch`.
        rise: share of the training during which the rate rises.
        start: the first rate, as a share of the highest.
        end: the last rate, as a share of the highest.

    Raises:
        ValueError: the rise or the fall has no step, or a share is not between 0 and 1.

    >>> rate = triangle(1.0, epochs=10, steps_per_epoch=100, rise=0.2)
    >>> [round(float(rate(step)), 3) for step in (0, 100, 200, 600, 1000)]
    [0.2, 0.6, 1.0, 0.535, 0.07]
    """
    check_positive("learning_rate", learning_rate)
    total, rising = _rise(rise, epochs, steps_per_epoch)
    if not (0 <= start <= 1 and 0 <= end <= 1):
        raise ValueError(
            f"start and end must lie between 0 and 1. Received: start={start}, end={end}"
        )
    rate = float(learning_rate)
    fall = rate * (1 - end) / (total - rising)
    first, climb = rate * start, rate * (1 - start) / rising

    base: Any = keras.optimizers.schedules.PolynomialDecay

    class Triangle(base):
        # A checkpoint names Keras's own class, with the fall alone, and loads without kcnn.
        __class__ = appears_as(keras.optimizers.schedules.PolynomialDecay)

        def __call__(self, step: Any) -> Any:
            falling: Any = super().__call__(step)
            ops: Any = keras.ops
            return ops.minimum(first + climb * ops.cast(step, falling.dtype), falling)

    return Triangle(rate + fall * rising, total, rate * end)


def change_of_rate(optimizer: Any, learning_rate: Any) -> Any:
    """Return the schedule's rate divided by that of the step before, 1 where that was 0."""
    ops: Any = keras.ops
    before = optimizer._learning_rate(ops.maximum(optimizer.iterations - 1, 0))
    before = ops.cast(before, learning_rate.dtype)
    return ops.where(before > 0, learning_rate / ops.maximum(before, 1e-30), 1.0)


def _rise(rise: float, epochs: int, steps_per_epoch: int) -> tuple[int, int]:
    """Return the steps of the training, and in how many of them the rate rises."""
    total = epochs * steps_per_epoch
    rising = round(rise * total)
    if not 0 < rising < total:
        raise ValueError(
            f"The rate of a training of {total} steps cannot rise for {rise:.0%} of them and then "
            "fall: use more epochs or smaller batches. "
            f"Received: rise={rise}, epochs={epochs}"
        )
    return total, rising


def _check_factor(factor: float) -> None:
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie between 0 and 1. Received: factor={factor}")
