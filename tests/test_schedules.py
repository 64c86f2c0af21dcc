"""Schedules against the formulas of the papers and of PyTorch."""

import math

import keras
import pytest

from kcnn.training import make_optimizer, schedules

STEPS = 7  # an epoch


def constant(step):
    return 0.4


def every_three_epochs(step):
    """torch.optim.lr_scheduler.StepLR(step_size=3, gamma=0.5)."""
    return 0.4 * 0.5 ** (step // STEPS // 3)


def at_milestones(step):
    """MultiStepLR(milestones=[2, 5, 6], gamma=0.2)."""
    return 0.4 * 0.2 ** sum(step // STEPS >= milestone for milestone in (2, 5, 6))


def to_zero(step):
    """CosineAnnealingLR(T_max=10 epochs), updated at every step."""
    return 0.4 / 2 * (1 + math.cos(math.pi * step / (10 * STEPS)))


def warm_to_zero(step):
    warm, total = 2 * STEPS, 10 * STEPS
    if step < warm:
        return 0.4 * step / warm
    return 0.4 / 2 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def along_a_line(step):
    return 0.4 * (1 - step / (10 * STEPS))


def up_and_down(step):
    """OneCycleLR's ends, linear up, cosine down."""
    rise, total, low, last = 21, 70, 0.4 / 25, 0.4 / 25 / 1e4
    if step < rise:
        return low + (0.4 - low) * step / rise
    return last + (0.4 - last) / 2 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


@pytest.mark.parametrize(
    ("made", "formula"),
    [
        (schedules.constant(0.4), constant),
        (schedules.step(0.4, steps_per_epoch=STEPS, step_epochs=3, factor=0.5), every_three_epochs),
        (
            schedules.multi_step(0.4, steps_per_epoch=STEPS, milestones=(2, 5, 6), factor=0.2),
            at_milestones,
        ),
        (schedules.cosine(0.4, epochs=10, steps_per_epoch=STEPS), to_zero),
        (schedules.cosine(0.4, epochs=10, steps_per_epoch=STEPS, warmup_epochs=2), warm_to_zero),
        (schedules.linear(0.4, epochs=10, steps_per_epoch=STEPS), along_a_line),
        (schedules.one_cycle(0.4, epochs=10, steps_per_epoch=STEPS), up_and_down),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_schedule_follows_its_formula_at_every_step(made, formula):
    # an optimizer's own counter is an integer variable
    counter = make_optimizer("sgd", made).iterations
    for step in range(10 * STEPS + 1):
        counter.assign(step)
        assert float(made(counter)) == pytest.approx(formula(step), rel=1e-5, abs=1e-7), step
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(made))
    assert type(again).__module__.startswith("keras.")
    assert float(again(33)) == float(made(33))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(0.0), "learning_rate=0.0"),
        (lambda: schedules.linear(0.0, epochs=2, steps_per_epoch=5), "learning_rate=0.0"),
        (lambda: schedules.step(0.1, steps_per_epoch=5, factor=1.0), "factor=1.0"),
        (lambda: schedules.step(0.1, steps_per_epoch=5, step_epochs=0), "step_epochs=0"),
        (lambda: schedules.multi_step(0.1, steps_per_epoch=5, milestones=()), r"milestones.*\[\]"),
        (lambda: schedules.multi_step(0.1, steps_per_epoch=5, milestones=(3, 2)), r"\[3, 2\]"),
        (
            lambda: schedules.cosine(0.1, epochs=2, steps_per_epoch=5, warmup_epochs=2),
            r"warmup_epochs must lie in \[0, 2\)",
        ),
        (lambda: schedules.one_cycle(0.1, epochs=2, steps_per_epoch=5, rise=1.0), "rise=1.0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
