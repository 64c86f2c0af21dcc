"""The clock of a contestant: it cuts an endless loop of steps into the parent's turns."""

import json
import resource
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

GO = "go"


class Finished(Exception):
    """The parent needs no more turns: the loop must end."""


@dataclass(frozen=True)
class Timing:
    """How long a contestant runs, in seconds.

    Attributes:
        warm_up: before it reports that it is ready; at least two steps.
        settle: at the beginning of each turn, before the clock starts: it uses up what its input
            pipeline prepared while it waited; at least one step.
        turn: the part of a turn that is timed.
        steps: the fewest steps that a turn times, however long they take.
    """

    warm_up: float = 1.0
    settle: float = 0.3
    turn: float = 1.5
    steps: int = 4


class Turns:
    """The turns of one contestant: its loop calls `step`, which waits between the turns.

    Attributes:
        facts: what the contestant reports about itself when it is ready.
    """

    def __init__(self, timing: Timing, commands: TextIO, reports: TextIO) -> None:
        self._timing, self._commands, self._reports = timing, commands, reports
        self.facts: dict[str, str | int | float] = {}
        self._course = self._run()
        next(self._course)

    def step(self, units: float, *, may_end: bool = True) -> None:
        """Count the work of a step that has ended, and wait for the next turn if this one is over.

        Args:
            units: the amount of work, for example images.
            may_end: whether a turn may end here.

        Raises:
            Finished: the parent needs no more turns.
        """
        self._course.send((units, may_end))

    def _run(self) -> Generator[None, tuple[float, bool], None]:
        yield
        self._report(event="first step")
        yield from self._until(self._timing.warm_up)
        yield  # at least a second step
        self._report(event="ready", facts=self.facts)
        while self._commands.readline().strip() == GO:
            yield from self._until(self._timing.settle)
            seconds, units = yield from self._until(self._timing.turn, self._timing.steps)
            peak = peak_bytes()
            self._report(event="turn", seconds=seconds, units=units, peak_bytes=peak)
        raise Finished

    def _until(
        self, seconds: float, fewest: int = 1
    ) -> Generator[None, tuple[float, bool], tuple[float, float]]:
        """Count steps for some seconds and at least `fewest` steps; return seconds and units."""
        started, steps, done = time.perf_counter(), 0, 0.0
        while True:
            units, may_end = yield
            steps, done = steps + 1, done + units
            elapsed = time.perf_counter() - started
            if may_end and elapsed >= seconds and steps >= fewest:
                return elapsed, done

    def _report(self, **values: object) -> None:
        self._reports.write(json.dumps(values) + "\n")
        self._reports.flush()


def peak_bytes() -> int:
    """Return the peak memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # In kilobytes, except on macOS. On Linux it could include the memory of the parent.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
