"""Slow weights: every few steps, the weights move part of the way back to their average."""

from typing import Any

import keras

from kcnn.callbacks.every_few_steps import EveryFewSteps
from kcnn.checks import check_count
from kcnn.layers.fast import moving_statistics


class Lookahead(EveryFewSteps):
    """Pulls the weights towards a slow average of themselves, more strongly as training goes on.

    Use it in short runs with high learning rates, such as `kcnn run speedrun94`. Every `every`
    steps the slow weights become `share * slow + (1 - share) * fast`, and the fast weights continue
    from there; `share` grows with the cube of the progress, from 0 to `strength`. The last step
    leaves the slow weights in the model. The moving statistics of batch norms take part, frozen
    weights do not.

    Paper: Zhang et al., "Lookahead Optimizer" (2019), https://arxiv.org/abs/1907.08610, in the form
    of Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.4.

    Args:
        steps: number of steps of the whole training.
        every: number of steps between two updates of the slow weights.
        strength: the largest share of the slow weights, reached at the end.

    Raises:
        ValueError: an argument is out of its range.

    >>> Lookahead(steps=480).share(240) == 0.95**5 / 8
    True
    """

    def __init__(self, steps: int, *, every: int = 5, strength: float = 0.95**5) -> None:
        super().__init__(every)
        check_count("steps", steps)
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie between 0 and 1. Received: strength={strength}")
        self.steps, self.strength = steps, strength
        self._fast: list[keras.Variable] = []
        self._slow: list = []

    def share(self, step: int) -> float:
        """Return the share of the slow weights after `step` steps, 0 to `strength`."""
        return self.strength * min(step / self.steps, 1.0) ** 3

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start from the weights as they are."""
        super().on_train_begin(logs)
        model: Any = self.model
        self._fast = [
            variable
            for variable in (*model.trainable_variables, *moving_statistics(model))
            if keras.backend.is_float_dtype(variable.dtype)
        ]
        self._slow = [keras.ops.copy(variable.value) for variable in self._fast]

    def on_steps(self, before: int, now: int) -> None:
        """Move the slow weights when it is time, and the fast ones there."""
        if self.due(before, now):
            self._move(share=self.share(now))
        if before < self.steps <= now:
            self._move(share=1.0)

    def state(self) -> dict[str, Any]:
        """Return the counts and the slow weights."""
        slow = [keras.ops.convert_to_numpy(value) for value in self._slow]
        return super().state() | {"slow": slow}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().restore(state)
        self._slow = [keras.ops.convert_to_tensor(value) for value in state["slow"]]

    def _move(self, share: float) -> None:
        ops: Any = keras.ops
        self._slow = [
            share * slow + (1.0 - share) * ops.convert_to_tensor(variable.value)
            for slow, variable in zip(self._slow, self._fast, strict=True)
        ]
        for variable, slow in zip(self._fast, self._slow, strict=True):
            variable.assign(slow)
