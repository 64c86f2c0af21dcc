"""What callbacks share that act every few steps of a training."""

from typing import Any

import keras

from kcnn.checks import check_count


class EveryFewSteps(keras.callbacks.Callback):
    """Counts the steps of a training, for callbacks that act on every few of them.

    A subclass writes `on_steps`, and calls `super()` where it overrides another method. One call
    may report several steps: with `steps_per_execution` Keras reports the last batch alone, and on
    the JAX backend `kcnn.train` stops the accelerator for each `every`-th step and for the last one
    of an epoch only. Any other callback that looks at batches makes it wait for all of them.

    Args:
        every: how many steps lie between two that matter.

    Raises:
        ValueError: `every` is not an integer of at least 1.

    >>> class Say(EveryFewSteps):
    ...     def on_steps(self, before, now):
    ...         print(before, now, self.due(before, now))
    >>> say = Say(5)
    >>> say.on_train_batch_end(batch=3)
    0 4 0
    >>> say.on_train_batch_end(batch=9)
    4 10 2
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        check_count("every", every)
        self.every = int(every)
        self._done, self._last_batch = 0, -1

    def on_steps(self, before: int, now: int) -> None:
        """Act on the steps of the training after number `before` up to number `now`, from 1."""
        raise NotImplementedError

    def due(self, before: int, now: int) -> int:
        """Return how many multiples of `every` lie among these steps."""
        return now // self.every - before // self.every

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Count from 0."""
        self._done, self._last_batch = 0, -1

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Expect batches to be numbered from 0 again."""
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count all batches since the last call."""
        before, self._done = self._done, self._done + batch - self._last_batch
        self._last_batch = batch
        self.on_steps(before, self._done)

    def state(self) -> dict[str, Any]:
        """Return the counts."""
        return {"done": self._done, "last_batch": self._last_batch}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting from what `state` returned."""
        self._done, self._last_batch = state["done"], state["last_batch"]
