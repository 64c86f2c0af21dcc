"""What a search is for: an accurate model, or an accurate int8 file within limits."""

from dataclasses import dataclass
from typing import Literal

from kcnn.checks import check_count, check_positive


@dataclass(frozen=True)
class Goal:
    """What the trials of a search are judged by: accuracy on the validation images, and limits.

    Without a limit it is the trained model that counts. With one it is the int8 file, and a search
    has more than one answer: the files that no other one beats in accuracy and in size (and in
    time, where that is limited).

    Attributes:
        max_bytes: The largest size of the int8 file.
        max_ms: The longest time for an image in LiteRT, on one thread of the machine that ran the
            trial.

    >>> Goal(max_bytes=100_000).directions
    ('maximize', 'minimize')
    """

    max_bytes: int | None = None
    max_ms: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that are no positive numbers."""
        if self.max_bytes is not None:
            check_count("max_bytes", self.max_bytes)
        if self.max_ms is not None:
            check_positive("max_ms", self.max_ms)

    @property
    def int8(self) -> bool:
        """Whether the int8 file counts."""
        return self.max_bytes is not None or self.max_ms is not None

    @property
    def directions(self) -> tuple[Literal["maximize", "minimize"], ...]:
        """Optuna's directions of the values of a trial: accuracy, bytes and, if limited, time."""
        if not self.int8:
            return ("maximize",)
        if self.max_ms is None:
            return ("maximize", "minimize")
        return ("maximize", "minimize", "minimize")

    def excess(self, size: int, milliseconds: float | None) -> dict[str, float]:
        """Return by how much a file exceeds each limit; below or at 0, it is within it."""
        found = {}
        if self.max_bytes is not None:
            found["bytes"] = float(size - self.max_bytes)
        if self.max_ms is not None and milliseconds is not None:
            found["ms"] = milliseconds - self.max_ms
        return found

    def is_met(self, size: int, milliseconds: float | None) -> bool:
        """Return whether a file is within all limits."""
        return all(value <= 0 for value in self.excess(size, milliseconds).values())
