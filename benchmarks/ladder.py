"""What each change bought: kcnn's training with one thing at a time done as people do it.

A rung is one function: it takes the training as it is and returns it changed. To add one, write it
and name it in `RUNGS`.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import networks
from benchmarks.contestants.keras3 import clock, endless, load, start
from benchmarks.race import Spec
from benchmarks.turns import Turns

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data

EPOCH = 10
"""Steps of the short epochs that show what a new iterator costs."""


@dataclass(frozen=True)
class Training:
    """What a rung may change of a training by `kcnn.train`.

    Attributes:
        model: the network.
        data: what it is fed.
        spec: what the child was told; a rung may change precision and batch before the rest.
        compiled: overrides arguments of the model's `compile`.
        fitted: overrides arguments of the model's `fit`.
    """

    model: "keras.Model"
    data: "Data"
    spec: Spec
    compiled: dict[str, Any] = field(default_factory=dict)
    fitted: dict[str, Any] = field(default_factory=dict)


Rung = Callable[[Training], Training]


def as_it_is(training: Training) -> Training:
    """Change nothing."""
    return training


def stock_batch_norm(training: Training) -> Training:
    """Take Keras's own batch normalisation."""
    return _plain(training, "BatchNormalization")


def stock_convolution(training: Training) -> Training:
    """Take TensorFlow's own convolutions on small maps, too."""
    return _plain(training, "Conv2D")


def stock_normalization(training: Training) -> Training:
    """Normalise images channel by channel."""
    return _plain(training, "Normalization")


def stock_spatial_dropout(training: Training) -> Training:
    """Drop whole maps by choosing pixel by pixel."""
    return _plain(training, "SpatialDropout2D")


def stock_updates(training: Training) -> Training:
    """Update a variable by Keras's dozen operations."""
    import keras

    return dataclasses.replace(training, compiled={"optimizer": keras.optimizers.Adam()})


def iterator_an_epoch(training: Training) -> Training:
    """Make an iterator for each epoch of a few steps, as `fit` does with a finite data set."""
    fitted = {"x": training.data.train.take(EPOCH), "steps_per_epoch": None, "epochs": 10**6}
    return dataclasses.replace(training, fitted=fitted)


def one_iterator(training: Training) -> Training:
    """Take short epochs, too, but one iterator for all of them."""
    return dataclasses.replace(training, fitted={"steps_per_epoch": EPOCH, "epochs": 10**6})


def map_of_examples(training: Training) -> Training:
    """Augment one example after the other by `keras.layers.Random*`."""
    from benchmarks.contestants.pipelines import keras_map

    spec = training.spec
    mapped = keras_map(*networks.arrays(Path(spec.folder)), spec.batch)
    return dataclasses.replace(training, data=dataclasses.replace(training.data, train=mapped))


def map_of_batches(training: Training) -> Training:
    """Augment batches by `keras.layers.Random*`."""
    from benchmarks.contestants.pipelines import keras_batches

    spec = training.spec
    mapped = keras_batches(*networks.arrays(Path(spec.folder)), spec.batch)
    return dataclasses.replace(training, data=dataclasses.replace(training.data, train=mapped))


def _compiled(**arguments: object) -> Rung:
    return lambda training: dataclasses.replace(training, compiled=arguments)


RUNGS: dict[str, Rung] = {
    "kcnn": as_it_is,
    "keras.layers.BatchNormalization": stock_batch_norm,
    "keras.layers.Conv2D": stock_convolution,
    "keras.layers.Normalization": stock_normalization,
    "keras.layers.SpatialDropout2D": stock_spatial_dropout,
    "keras.optimizers.Adam": stock_updates,
    "keras.layers.Random* on each example": map_of_examples,
    "keras.layers.Random* on batches": map_of_batches,
    "one iterator for all short epochs": one_iterator,
    "an iterator for each short epoch": iterator_an_epoch,
    "steps_per_execution=1": _compiled(steps_per_execution=1),
    "steps_per_execution=8": _compiled(steps_per_execution=8),
    "jit_compile=True": _compiled(jit_compile=True),
    # What follows is in the child's `Spec` already, for it comes before there is a network.
    "float32": as_it_is,
    "batch 64": as_it_is,
    "batch 1024": as_it_is,
}

SMALL, DEEP = "simple_cnn", "vgg16"
"""A network whose step is short and which drops whole maps; one with millions of weights, whose
maps shrink to 2x2 pixels."""

RACES: tuple[tuple[str | None, tuple[str, ...]], ...] = (
    (None, ("kcnn", "keras.layers.BatchNormalization")),
    (SMALL, ("kcnn", "keras.layers.Normalization", "keras.layers.SpatialDropout2D")),
    (DEEP, ("kcnn", "keras.layers.Conv2D", "keras.optimizers.Adam")),
    (
        None,
        ("kcnn", "keras.layers.Random* on each example", "keras.layers.Random* on batches"),
    ),
    (None, ("one iterator for all short epochs", "an iterator for each short epoch")),
    (None, ("kcnn", "steps_per_execution=1", "steps_per_execution=8", "jit_compile=True")),
    (None, ("kcnn", "float32", "batch 64", "batch 1024")),
)
"""On which network (none: the one of the close-up) which rungs take turns, if it is among those
asked for: the first is what the others are compared with.

All at once would need the memory of a dozen trainings.
"""


def climb(spec: Spec, turns: Turns) -> None:
    """Train by `kcnn.train` with the rung `spec.contestant`."""
    from kcnn import callbacks, train

    start(spec)
    model = networks.build(Path(spec.folder), spec.model)
    training = RUNGS[spec.contestant](Training(model, endless(load(spec)), spec))
    _override(training.model, training.compiled, training.fitted)
    short = "epochs" in training.fitted
    watching = clock(turns, spec.batch, epochs_only=short)
    # Without validation there is nothing for the standard ones to watch at the end of an epoch.
    watching = [watching] if short else [*callbacks.standard(), watching]
    train(training.model, training.data, epochs=1, callbacks=watching)


def _plain(training: Training, name: str) -> Training:
    """Replace the layers of one kind by Keras's own, and only these.

    By a class derived from Keras's: `kcnn.train` makes Keras's very own layers fast.
    """
    import keras

    stock = getattr(keras.layers, name)
    plain = type(f"Plain{name}", (stock,), {})

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        # `__class__` is what kcnn's layers are saved as, `type` what they are.
        made = plain if layer.__class__ is stock else type(layer)
        return made.from_config(layer.get_config())

    if not any(layer.__class__ is stock for layer in training.model.layers):
        raise RuntimeError(f"{training.model.name} has no {name}: there is nothing to compare.")
    model = keras.models.clone_model(training.model, clone_function=copy)
    model.set_weights(training.model.get_weights())
    return dataclasses.replace(training, model=model)


def _override(model: "keras.Model", compiled: dict, fitted: dict) -> None:
    """Let arguments of ours win when `kcnn.train` compiles and fits the model."""
    compile_model, fit_model = model.compile, model.fit

    def compile_it(*given: object, **options: object) -> None:
        compile_model(*given, **(options | compiled))

    def fit_it(x: object, **options: object) -> object:
        changed = {**options, "x": x, **fitted}
        if fitted:
            changed["validation_data"] = None
        return fit_model(**changed)

    model.compile, model.fit = compile_it, fit_it
