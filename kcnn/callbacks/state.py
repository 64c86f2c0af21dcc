"""The state of a training: all that it needs to go on as if it had never stopped.

All randomness of the data follows from (seed, epoch, step), and dropout's from variables of the
model, so the position and the variables are enough.
"""

import copy
import io
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

from kcnn.callbacks.memory import has_memory, memory_of, restore_memory
from kcnn.callbacks.packing import pack, unpack
from kcnn.callbacks.state_file import read_state, write_state
from kcnn.callbacks.variables import assign, check_shapes, values_of
from kcnn.errors import naming

_INDEX = "index"


class Running(Protocol):
    """A training in progress, of which this is the state: `kcnn.training.loop.Training`."""

    model: Any
    steps: Any
    epoch: int
    step: int
    first_epoch: int
    seconds_before: float
    started: float
    settings: dict[str, Any]
    rollbacks: tuple["Rollback", ...]
    stopped_by: str

    @property
    def seconds(self) -> float:
        """How long it has been training."""
        ...

    def each_callback(self) -> Iterable[keras.callbacks.Callback]:
        """Yield the callbacks in the order in which they are called."""
        ...


@dataclass(frozen=True)
class Memory:
    """What one callback remembers."""

    callback: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Rollback:
    """Once that a training diverged and went back to an earlier state.

    Attributes:
        name: what was not finite or exploded, such as "loss".
        value: its value, as text: JSON has no NaN.
        epoch: in which epoch it did, from 1.
        step: in which of its steps, from 1; None where only the epoch is known.
        factor: what the learning rate has been multiplied by since, all rollbacks together.
    """

    name: str
    value: str
    epoch: int
    step: int | None
    factor: float


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands, with the value of everything that it changes.

    Attributes:
        epoch: the epoch in which the training goes on, from 0.
        step: the steps of that epoch that are done.
        first_epoch: the epoch with which the callbacks began to count steps.
        stopped: whether a callback ended the training.
        stopped_by: the name of that callback's class.
        model: values of all variables of the model, the state of random draws included.
        optimizer: values of all variables of the optimizer, its averages and its rate included.
        sums: what the running epoch has added up of its loss and metrics.
        memories: of the callbacks that have a memory, in their order; `History` is one of them.
        seconds: how long it has been training, all its processes together.
        settings: what the training is: a state belongs to the training with the same settings.
        rollbacks: how often it diverged and went back, in order.
    """

    epoch: int
    step: int
    first_epoch: int
    stopped: bool
    model: list[np.ndarray]
    optimizer: list[np.ndarray]
    sums: list[np.ndarray] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    rollbacks: tuple[Rollback, ...] = ()
    stopped_by: str = ""

    @classmethod
    def of(cls, training: Running) -> "TrainingState":
        """Return the state of a running training."""
        remembered = (
            (type(callback).__name__, memory_of(callback)) for callback in training.each_callback()
        )
        return cls(
            epoch=training.epoch,
            step=training.step,
            first_epoch=training.first_epoch,
            stopped=bool(training.model.stop_training),
            model=values_of(training.model.variables),
            optimizer=values_of(training.model.optimizer.variables),
            sums=training.steps.sums() if training.step else [],
            memories=[  # copies: the callbacks go on to change their lists
                Memory(name, copy.deepcopy(values))
                for name, values in remembered
                if values is not None
            ],
            seconds=training.seconds,
            settings=training.settings,
            rollbacks=training.rollbacks,
            stopped_by=training.stopped_by,
        )

    def check(self, training: Running) -> None:
        """Refuse a training that is not the one of this state; nothing is changed.

        Raises:
            ValueError: its settings, model, optimizer or callbacks are not those of the state.
        """
        self.check_settings(training.settings)
        check_shapes("model", training.model.variables, self.model)
        check_shapes("optimizer", training.model.optimizer.variables, self.optimizer)
        self._stateful(training)

    def restore(self, training: Running) -> None:
        """Bring a training that `check` accepts, and that has just begun, to this state."""
        assign(training.model.variables, self.model)
        assign(training.model.optimizer.variables, self.optimizer)
        for callback, memory in zip(self._stateful(training), self.memories, strict=True):
            # A copy: the callback goes on to change its lists.
            restore_memory(callback, copy.deepcopy(memory.values))
        training.epoch, training.step = self.epoch, self.step
        training.first_epoch = self.first_epoch
        training.seconds_before, training.started = self.seconds, time.perf_counter()
        training.model.stop_training = self.stopped
        training.rollbacks, training.stopped_by = self.rollbacks, self.stopped_by

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Raise a ValueError that names the first setting in which another training differs."""
        for name, value in settings.items():
            if name in self.settings and self.settings[name] != value:
                raise ValueError(
                    f"The kept state is of a training with {name}={_shown(self.settings[name])}: "
                    "go on with the same settings, or in another folder. "
                    f"Received: {name}={_shown(value)}"
                )

    def _stateful(self, training: Running) -> list[keras.callbacks.Callback]:
        """Return the callbacks with a memory, which must be those of the state."""
        callbacks = [each for each in training.each_callback() if has_memory(each)]
        names = [type(each).__name__ for each in callbacks]
        wanted = [memory.callback for memory in self.memories]
        if names != wanted:
            raise ValueError(
                "The callbacks are not those with which this training began. "
                f"Received: {', '.join(names)}. Expected: {', '.join(wanted)}."
            )
        return callbacks

    def save(self, path: str | os.PathLike) -> None:
        """Write the state to one file with its SHA-256, whole or not at all; no pickles."""
        arrays: dict[str, np.ndarray] = {}
        content = {
            "epoch": self.epoch,
            "step": self.step,
            "first_epoch": self.first_epoch,
            "seconds": self.seconds,
            "settings": self.settings,
            "stopped": self.stopped,
            "stopped_by": self.stopped_by,
            "rollbacks": [asdict(each) for each in self.rollbacks],
            "model": pack(self.model, arrays),
            "optimizer": pack(self.optimizer, arrays),
            "sums": pack(self.sums, arrays),
            "memories": [
                {"callback": each.callback, "values": pack(each.values, arrays)}
                for each in self.memories
            ],
        }
        arrays[_INDEX] = np.frombuffer(json.dumps(content).encode(), np.uint8)
        written = io.BytesIO()
        np.savez(written, **arrays)  # pyright: ignore[reportArgumentType] - its stub is too narrow
        write_state(path, written.getbuffer())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "TrainingState":
        """Read what `save` wrote.

        Raises:
            ValueError: there is no such file, or it is not what `save` wrote: of another kind,
                damaged or cut off.
        """
        body = read_state(path)
        with naming(path), np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            index = json.loads(bytes(arrays[_INDEX]))
            parts = {name: unpack(index.pop(name), arrays) for name in _PARTS}
            memories = [
                Memory(each["callback"], unpack(each["values"], arrays))
                for each in index.pop("memories")
            ]
            rollbacks = tuple(Rollback(**each) for each in index.pop("rollbacks", ()))
            return cls(**index, **parts, memories=memories, rollbacks=rollbacks)


_PARTS = ("model", "optimizer", "sums")


def _shown(value: object) -> str:
    return f"{value:.7g}" if isinstance(value, float) else repr(value)  # of a float32
