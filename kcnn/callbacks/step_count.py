"""How many steps a training has taken, for callbacks that act every few of them."""


class StepCount:
    """Count the steps of a training, of which a callback may be told several at once.

    With `steps_per_execution`, and on the JAX backend, the number of a batch is that of the last of
    them.

    >>> steps = StepCount()
    >>> steps.add(batch=4), steps.add(batch=9)
    ((0, 5), (5, 10))
    >>> steps.begin_epoch()
    >>> steps.add(batch=0)
    (10, 11)
    """

    def __init__(self) -> None:
        self._done, self._last_batch = 0, -1

    def begin_epoch(self) -> None:
        """Expect batches to be numbered from 0 again."""
        self._last_batch = -1

    def add(self, batch: int) -> tuple[int, int]:
        """Return the number of steps before, and with all up to this batch of the epoch."""
        before, self._done = self._done, self._done + batch - self._last_batch
        self._last_batch = batch
        return before, self._done
