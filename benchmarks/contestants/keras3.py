"""Stock Keras 3 as people run it, and kcnn."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import networks
from benchmarks.contestants import FOREVER
from benchmarks.race import Spec
from benchmarks.turns import Turns

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data


def fit_kcnn(spec: Spec, turns: Turns) -> None:
    """Train by `kcnn.train` on `kcnn.data.load`, as a recipe does."""
    from kcnn import callbacks, train

    start(spec)
    data = load(spec)
    model = networks.build(Path(spec.folder), spec.model)
    watching = [*callbacks.standard(), clock(turns, spec.batch)]
    train(model, endless(data), epochs=1, callbacks=watching)


def fit_stock(spec: Spec, turns: Turns) -> None:
    """Compile and fit the same network of stock layers, fed by random layers in a `map`."""
    import keras

    from benchmarks.contestants.pipelines import keras_map

    start(spec)
    model = stock(networks.build(Path(spec.folder), spec.model))
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        keras_map(*networks.arrays(Path(spec.folder)), spec.batch).repeat(),
        epochs=1,
        steps_per_epoch=FOREVER,
        callbacks=[clock(turns, spec.batch)],
        verbose=0,
    )


def start(spec: Spec) -> None:
    """Set precision and seed, and let kcnn write lines in place of a progress bar."""
    import logging

    import keras

    logging.getLogger("kcnn").setLevel(logging.INFO)
    keras.utils.set_random_seed(spec.seed)
    if spec.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")


def load(spec: Spec) -> "Data":
    """Return the images as kcnn feeds them."""
    from kcnn import data

    images = networks.Images(Path(spec.folder))
    return data.load(images, batch_size=spec.batch, seed=spec.seed)


def endless(data: "Data") -> "Data":
    """Return data whose epoch never ends; there is no validation either."""
    return dataclasses.replace(data, steps_per_epoch=FOREVER)


def stock(model: "keras.Model") -> "keras.Model":
    """Return a copy made of Keras's own layers, as a saved model loads without kcnn.

    Raises:
        RuntimeError: a layer of kcnn is left.
    """
    import keras

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        # `__class__` is what kcnn's layers are saved as, `type` what they are.
        return layer.__class__.from_config(layer.get_config())

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    own = [each for each in copied.layers if type(each).__module__.startswith("kcnn")]
    if own:
        raise RuntimeError(f"no stock layer: {', '.join(each.name for each in own)}")
    return copied


def clock(
    turns: Turns, batch: int, *, epochs_only: bool = False, base: type | None = None
) -> "keras.callbacks.Callback":
    """Return the callback that counts the images of each step.

    Args:
        turns: of this contestant.
        batch: images a step.
        epochs_only: let turns end where epochs end, so that each holds whole ones.
        base: the class of callbacks; Keras 3's if not given.
    """
    if base is None:
        import keras

        base = keras.callbacks.Callback

    class Clock(base):
        def __init__(self) -> None:
            super().__init__()
            self._seen = -1

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            self._seen = -1

        def on_train_batch_end(self, step: int, logs: dict | None = None) -> None:
            # With several steps an execution, `step` is the last one's number.
            images, self._seen = (step - self._seen) * batch, step
            turns.step(images, may_end=not epochs_only)

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if epochs_only:
                turns.step(0)

    return Clock()
