"""Stock Keras 3 as people run it, and kcnn."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks import networks
from benchmarks.contestants import FOREVER
from benchmarks.contestants.pipelines import endless, keras_map, load
from benchmarks.race import Spec
from benchmarks.turns import Turns

if TYPE_CHECKING:
    import keras


def fit_kcnn(spec: Spec, turns: Turns) -> None:
    """Train with `kcnn.train` on the data of `kcnn.data.load`, as a recipe does."""
    from kcnn import callbacks, train

    start(spec)
    data = load(spec)
    model = networks.build(Path(spec.folder), spec.model)
    counted = [*callbacks.standard(), clock(turns, spec.batch)]
    train(model, endless(data), epochs=1, callbacks=counted)


def fit_stock(spec: Spec, turns: Turns) -> None:
    """Compile and fit the same network of stock layers, fed by random layers in a `map`."""
    import keras

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
        verbose=cast(Any, 0),
    )


def start(spec: Spec) -> None:
    """Set precision and seed, and make kcnn log lines instead of drawing a progress bar."""
    import logging

    import keras

    logging.getLogger("kcnn").setLevel(logging.INFO)
    keras.utils.set_random_seed(spec.seed)
    if spec.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")


def stock(model: "keras.Model") -> "keras.Model":
    """Return a copy made of Keras's own layers, which is what a saved model loads as without kcnn.

    Raises:
        RuntimeError: a layer of kcnn has no counterpart in Keras.
    """
    import keras

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        # kcnn's layers report the Keras class they are saved as in `__class__`.
        return layer.__class__.from_config(layer.get_config())

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    own = [each for each in copied.layers if type(each).__module__.startswith("kcnn")]
    if own:
        raise RuntimeError(f"no Keras layer for: {', '.join(each.name for each in own)}")
    return copied


def clock(
    turns: Turns, batch: int, *, epochs_only: bool = False, base: Any = None
) -> "keras.callbacks.Callback":
    """Return the callback that counts the images of each step.

    Args:
        turns: the turns of this contestant.
        batch: images in a step.
        epochs_only: let a turn end only at the end of an epoch, so that it holds whole epochs.
        base: the class of callbacks to derive from; by default that of Keras 3.
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
            # With several steps per execution, `step` is the number of the last one.
            images, self._seen = (step - self._seen) * batch, step
            turns.step(images, may_end=not epochs_only)

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if epochs_only:
                turns.step(0)

    return Clock()
