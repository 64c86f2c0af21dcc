"""What the state of a training needs to know of Keras's own `fit`."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from kcnn.callbacks.state import Rollback


@dataclass
class PlainFit:
    """What `TrainingState` needs of a training that Keras's own `fit` does."""

    model: Any
    callbacks: Sequence[keras.callbacks.Callback]
    settings: dict[str, Any]
    steps: None = None  # a state is kept between epochs only
    epoch: int = 0
    step: int = 0
    first_epoch: int = 0
    seconds_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    rollbacks: tuple[Rollback, ...] = ()
    stopped_by: str = ""

    @property
    def seconds(self) -> float:
        """How long it has been training."""
        return self.seconds_before + time.perf_counter() - self.started

    def each_callback(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callbacks."""
        yield from self.callbacks
