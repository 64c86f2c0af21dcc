"""What callbacks remember from epoch to epoch, so that a training can be taken up again."""

from typing import Any, Protocol, runtime_checkable

import keras

# Keras's own callbacks with memory, and the attributes that hold it. Subclasses are included.
_ATTRIBUTES: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("best", "wait", "stopped_epoch", "best_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: (
        "best",
        "_batches_seen_since_last_saving",
        "_last_batch_seen",
    ),
    keras.callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
    keras.callbacks.History: ("epoch", "history"),
}


@runtime_checkable
class Stateful(Protocol):
    """A callback whose memory belongs to the state of a training.

    Write the two methods in a callback of your own that remembers something between epochs or
    steps. `restore` is called after `on_train_begin`.

    >>> class Count(keras.callbacks.Callback):
    ...     epochs = 0
    ...
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.epochs += 1
    ...
    ...     def state(self):
    ...         return {"epochs": self.epochs}
    ...
    ...     def restore(self, state):
    ...         self.epochs = state["epochs"]
    >>> isinstance(Count(), Stateful)
    True
    """

    def state(self) -> dict[str, Any]:
        """Return the memory: numbers, texts, None, NumPy arrays, and lists or dicts of them."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        ...


def has_memory(callback: keras.callbacks.Callback) -> bool:
    """Return whether `callback` is known to remember something; `memory_of` then returns it."""
    return isinstance(callback, (Stateful, *_ATTRIBUTES))


def memory_of(callback: keras.callbacks.Callback) -> dict[str, Any] | None:
    """Return what `callback` remembers, or None if it is not known to remember anything."""
    if isinstance(callback, Stateful):
        return callback.state()
    for kind, attributes in _ATTRIBUTES.items():
        if isinstance(callback, kind):
            # Some of them are set when a training begins.
            return {name: getattr(callback, name, None) for name in attributes}
    return None


def restore_memory(callback: keras.callbacks.Callback, memory: dict[str, Any]) -> None:
    """Give `callback` back what `memory_of` returned."""
    if isinstance(callback, Stateful):
        callback.restore(memory)
        return
    for name, value in memory.items():
        setattr(callback, name, value)
