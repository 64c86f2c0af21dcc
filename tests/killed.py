"""Runs that are killed at a known moment: what tests/test_resume.py has a process do.

A moment is a step of the training, or the write of a file: before its rename ("half"), or when it
is whole but nothing else knows of it ("whole"). The process sends itself SIGKILL there, which no
code can catch.
"""

import logging
import os
import signal
import sys
from pathlib import Path

import keras

from kcnn.recipe import (
    Data,
    Distill,
    Model,
    Prune,
    Quantize,
    Recipe,
    Train,
    Transfer,
    from_json,
)
from kcnn.training.loop import Training

EPOCHS, STEPS = 3, 4
DIGITS = Data(name="digits", limit=120, validation=0.2, batch_size=24, augment="shift")


def network():
    """Return a small network with dropout and batch norm."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 4, strides=4, name="first"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="second"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(10, name="logits"),
        ]
    )


def full(base):
    """Return a recipe with all that a run can go on with: a head, a teacher, variants."""
    return Recipe(
        data=DIGITS,
        transfer=Transfer(base=str(base), trainable_from="second", head_epochs=2),
        train=Train(epochs=EPOCHS, learning_rate=3e-3, ema=0.7, checkpoint_steps=2),
        distill=Distill(teacher=str(base)),
        prune=Prune(sparsities=(0.5,), epochs=1),
        quantize=Quantize(samples=20),
        explain=None,
        tta="flip",
    )


def small():
    """Return a recipe with a training and its score only."""
    return Recipe(
        data=DIGITS,
        model=Model(name="simple_cnn"),
        train=Train(epochs=EPOCHS, learning_rate=3e-3, ema=0.7, checkpoint_steps=2),
        prune=None,
        quantize=None,
        explain=None,
    )


class Killed(BaseException):
    """Stands for SIGKILL within a process: nothing in kcnn catches it."""


def kill_after(count, monkeypatch, *functions):
    """Have the call after `count` calls of these functions, each (its place, its name), raise."""
    done = iter(range(count))

    def counted(function):
        def call(*arguments, **options):
            if next(done, None) is None:
                raise Killed
            return function(*arguments, **options)

        return call

    for place, name in functions:
        monkeypatch.setattr(place, name, counted(getattr(place, name)))


def kill_at(moment):
    """Have the process killed at "step EPOCH STEP" or at "half FILE COUNT", "whole FILE COUNT"."""
    kind, *place = moment.split()
    if kind == "step":
        count = Training.count

        def counted(training, step):
            if (training.epochs, training.epoch, step) == (EPOCHS, *map(int, place)):
                _die()
            return count(training, step)

        Training.count = counted
        return
    name, left = place[0], [int(place[1])]
    replace = os.replace

    def replaced(source, target):
        left[0] -= Path(target).name == name
        if Path(target).name == name and left[0] == 0:
            if kind == "whole":
                replace(source, target)
            _die()
        replace(source, target)

    os.replace = replaced


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def main(recipe, folder, moment, control):
    """Run a recipe's file, or go on with it, up to the moment; to the end without one."""
    from kcnn.pipeline import run

    logging.basicConfig(level=logging.INFO)
    if moment:
        kill_at(moment)
    recipe = from_json(Path(recipe).read_text())
    run(recipe, "killed", folder, control=bool(control), deterministic=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
