"""What each optimization is worth: kcnn's training with one of them at a time replaced.

A rung is a function that takes a training and returns it changed. To add one, write the function
and add it to `RUNGS`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import networks
from benchmarks.contestants.keras3 import clock, start
from benchmarks.contestants.pipelines import endless, keras_batches, keras_map, load
from benchmarks.race import Spec
from benchmarks.turns import Turns

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data

# Steps of the short epochs that show what a new iterator costs.
EPOCH = 10


@dataclass(frozen=True)
class Training:
    """What a rung may change in a training by `kcnn.train`.

    Attributes:
        model: the network.
        data: its training data.
        spec: what the parent sent to this process.
        compiled: arguments that replace those of the model's `compile`.
        fitted: arguments that replace those of the model's `fit`.
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
    """Use Keras's own batch normalization."""
    return _plain(training, "BatchNormalization")


def stock_convolution(training: Training) -> Training:
    """Use TensorFlow's own convolutions on small maps too."""
    return _plain(training, "Conv2D")


def stock_normalization(training: Training) -> Training:
    """Use Keras's own normalization of images, which broadcasts over three channels."""
    return _plain(training, "Normalization")


def stock_spatial_dropout(training: Training) -> Training:
    """Use Keras's own spatial dropout, which broadcasts its mask over all pixels."""
    return _plain(training, "SpatialDropout2D")


def stock_gelu(training: Training) -> Training:
    """Use Keras's own GELU, a chain of operations on whole maps."""
    import keras

    def chain(x: Any) -> Any:
        return keras.activations.gelu(x)

    active: list[Any] = [
        layer
        for layer in training.model.layers
        if getattr(layer, "activation", None) is keras.activations.gelu
    ]
    if not active:
        raise RuntimeError(f"{training.model.name} has no GELU: there is nothing to compare.")
    for layer in active:
        layer.activation = chain
    return training


def stock_updates(training: Training) -> Training:
    """Use Keras's own Adam, which updates a variable in a dozen operations."""
    import keras

    return dataclasses.replace(training, compiled={"optimizer": keras.optimizers.Adam()})


def iterator_an_epoch(training: Training) -> Training:
    """Make a new iterator for each short epoch, as `fit` does with a finite data set."""
    fitted = {"x": training.data.train.take(EPOCH), "steps_per_epoch": None, "epochs": 10**6}
    return dataclasses.replace(training, fitted=fitted)


def one_iterator(training: Training) -> Training:
    """Use the same short epochs, but one iterator for all of them."""
    return dataclasses.replace(training, fitted={"steps_per_epoch": EPOCH, "epochs": 10**6})


def map_of_examples(training: Training) -> Training:
    """Augment single examples with `keras.layers.Random*`."""
    spec = training.spec
    mapped = keras_map(*networks.arrays(Path(spec.folder)), spec.batch)
    return dataclasses.replace(training, data=dataclasses.replace(training.data, train=mapped))


def map_of_batches(training: Training) -> Training:
    """Augment batches with `keras.layers.Random*`."""
    spec = training.spec
    mapped = keras_batches(*networks.arrays(Path(spec.folder)), spec.batch)
    return dataclasses.replace(training, data=dataclasses.replace(training.data, train=mapped))


def _compiled(**arguments: Any) -> Rung:
    return lambda training: dataclasses.replace(training, compiled=arguments)


WITHOUT_ONEDNN = "TF_ENABLE_ONEDNN_OPTS=0"

RUNGS: dict[str, Rung] = {
    "kcnn": as_it_is,
    "keras.layers.BatchNormalization": stock_batch_norm,
    "keras.layers.Conv2D": stock_convolution,
    "keras.layers.Normalization": stock_normalization,
    "keras.layers.SpatialDropout2D": stock_spatial_dropout,
    "keras.activations.gelu": stock_gelu,
    "keras.optimizers.Adam": stock_updates,
    "keras.layers.Random* on each example": map_of_examples,
    "keras.layers.Random* on batches": map_of_batches,
    "one iterator for all short epochs": one_iterator,
    "an iterator for each short epoch": iterator_an_epoch,
    "steps_per_execution=1": _compiled(steps_per_execution=1),
    "steps_per_execution=8": _compiled(steps_per_execution=8),
    "jit_compile=True": _compiled(jit_compile=True),
    # `parts` has put these into the `Spec`: they apply before the network is built.
    WITHOUT_ONEDNN: as_it_is,
    "batch 64": as_it_is,
    "batch 1024": as_it_is,
}

# SMALL has a short step and spatial dropout; DEEP has millions of weights and maps of 2x2 pixels;
# GELU has no other activation.
SMALL, DEEP, GELU = "simple_cnn", "vgg16", "speed_net"

# A network (None: the model of the close-up) and the rungs that take turns on it; the others are
# compared with the first. Races of networks that were not asked for are left out. One race of all
# rungs would need the memory of a dozen trainings.
RACES: tuple[tuple[str | None, tuple[str, ...]], ...] = (
    *((model, ("kcnn", WITHOUT_ONEDNN)) for model in (None, SMALL, DEEP)),
    (None, ("kcnn", "keras.layers.BatchNormalization")),
    (SMALL, ("kcnn", "keras.layers.Normalization", "keras.layers.SpatialDropout2D")),
    (DEEP, ("kcnn", "keras.layers.Conv2D", "keras.optimizers.Adam")),
    (GELU, ("kcnn", "keras.activations.gelu")),
    (
        None,
        ("kcnn", "keras.layers.Random* on each example", "keras.layers.Random* on batches"),
    ),
    (None, ("one iterator for all short epochs", "an iterator for each short epoch")),
    (None, ("kcnn", "steps_per_execution=1", "steps_per_execution=8", "jit_compile=True")),
    (None, ("kcnn", "batch 64", "batch 1024")),
)


def climb(spec: Spec, turns: Turns) -> None:
    """Train with `kcnn.train`, changed by the rung that `spec.contestant` names."""
    from kcnn import callbacks, train

    start(spec)
    model = networks.build(Path(spec.folder), spec.model)
    training = RUNGS[spec.contestant](Training(model, endless(load(spec)), spec))
    short = "epochs" in training.fitted
    count = clock(turns, spec.batch, epochs_only=short)
    # The standard callbacks watch validation at the end of an epoch, and short epochs have none.
    counted = [count] if short else [*callbacks.standard(), count]
    if training.compiled or training.fitted:
        fit(training, counted)
    else:
        train(training.model, training.data, epochs=1, callbacks=counted)


def _plain(training: Training, name: str) -> Training:
    """Replace the layers of one kind by Keras's own, and no others.

    They get a class derived from Keras's, because `kcnn.train` speeds up exact Keras layers.
    """
    import keras

    stock = getattr(keras.layers, name)
    plain = type(f"Plain{name}", (stock,), {})

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        # kcnn's layers report the Keras class they are saved as in `__class__`.
        made = plain if layer.__class__ is stock else type(layer)
        return made.from_config(layer.get_config())

    if not any(layer.__class__ is stock for layer in training.model.layers):
        raise RuntimeError(f"{training.model.name} has no {name}: there is nothing to compare.")
    model = keras.models.clone_model(training.model, clone_function=copy)
    model.set_weights(training.model.get_weights())
    return dataclasses.replace(training, model=model)


def fit(training: Training, callbacks: "Sequence[keras.callbacks.Callback]") -> None:
    """Train by Keras's own `fit`, fed as by `kcnn.train`, with the changes of the rung."""
    from kcnn.layers import fast_training
    from kcnn.training import Objective, make_optimizer
    from kcnn.training.loop_tensorflow import compile_for

    model: Any = training.model
    compile_for(model, training.data, Objective(), make_optimizer("adam"))
    compiled = {"optimizer": model.optimizer, "loss": model.loss, "metrics": ["accuracy"]}
    model.compile(**(compiled | training.compiled))
    arguments = {
        "x": training.data.batches(),
        "steps_per_epoch": training.data.steps_per_epoch,
        "callbacks": list(callbacks),
        "shuffle": False,
        "verbose": 0,
    }
    with fast_training(model):
        model.fit(**(arguments | training.fitted))
