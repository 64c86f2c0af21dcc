"""Where the state of a training is kept while it goes on: the last one and the one before."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kcnn.callbacks.state import TrainingState
from kcnn.folder_lock import locked
from kcnn.run_dir import remove_leftovers

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Checkpoints:
    """The kept states of one training, in a folder of their own.

    Attributes:
        folder: the folder; made with the first state.
        every: also keep a state after this many steps of an epoch; None keeps one after each epoch
            only.

    >>> Checkpoints(Path("run/state"), every=100).due(200)
    True
    """

    folder: Path
    every: int | None = None

    @property
    def last(self) -> Path:
        """The newest state."""
        return self.folder / "last.state"

    @property
    def previous(self) -> Path:
        """The state before the newest one."""
        return self.folder / "previous.state"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder while inside: two trainings would mix their states.

        Raises:
            ValueError: another training holds it.
        """

        def refuse() -> None:
            raise ValueError(
                f"Another training keeps its state in {str(self.folder)!r}: wait for it, or name "
                "another folder."
            ) from None

        with locked(self.folder, refuse):
            yield

    def due(self, step: int) -> bool:
        """Return whether to keep a state after this step of an epoch, counted from 1."""
        return self.every is not None and step % self.every == 0

    def save(self, state: TrainingState) -> None:
        """Keep `state` as the newest one. At every moment one whole state is in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.last.is_file():
            os.replace(self.last, self.previous)
        state.save(self.last)

    def load(self) -> TrainingState | None:
        """Return the newest whole state, or None if none was kept.

        Raises:
            ValueError: states were kept, and none of them can be read.
        """
        remove_leftovers(self.folder)
        reasons: list[str] = []
        for file in (self.last, self.previous):
            if not file.is_file():
                continue
            try:
                state = TrainingState.load(file)
            except ValueError as error:
                reasons.append(str(error))
                continue
            if reasons:  # the next save must not put a damaged state in the place of this one
                logger.warning("%s", reasons[0])
                self.last.unlink()
            return state
        if reasons:
            raise ValueError(
                f"{reasons[0]} No whole state is left: remove {str(self.folder)!r} to train again "
                f"from the first epoch.{self._best_so_far()}"
            )
        return None

    def _best_so_far(self) -> str:
        # In the folder of a run, where the states may lie in a folder for each part of a training.
        for folder in (self.folder.parent, self.folder.parent.parent):
            if (best := folder / "best.keras").is_file():
                return f" The best model so far is {str(best)!r}: copy it first to keep it."
        return ""

    def remove(self) -> None:
        """Remove all states: the training is finished and its result is safe."""
        remove_leftovers(self.folder)
        for file in (self.last, self.previous):
            file.unlink(missing_ok=True)
        with suppress(OSError):  # something else lies in it
            self.folder.rmdir()
