"""The figures of scaling: `docs/scaling.json`."""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.race import ROOT, environment
from benchmarks.results import Machine
from kcnn.run_dir import atomic

FILE = ROOT / "docs/scaling.json"

Figures = dict[str, Any]


def keep(part: str, figures: Figures, file: Path = FILE) -> None:
    """Put the figures of a part into the file, with the machine and the time."""
    known = json.loads(file.read_text()) if file.is_file() else {}
    known[part] = {"machine": asdict(Machine.here()), **figures}
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n")


def start(module: str, job: Mapping[str, Any], **variables: str) -> subprocess.Popen:
    """Start a measurement in a process of its own."""
    command = [sys.executable, "-m", module, "--job", json.dumps(job)]
    return subprocess.Popen(
        command, env=environment() | variables, stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen) -> Figures:
    """Return what a measurement has found.

    Raises:
        RuntimeError: It failed.
    """
    said = process.communicate()[0].strip()
    if process.returncode:
        raise RuntimeError(f"A measurement ended with status {process.returncode}: {said[-300:]}")
    return json.loads(said.splitlines()[-1]) if said else {}


def clock(stop_after: int | None = None) -> Any:
    """Return a callback that measures steps, and ends the training after some by SIGTERM."""
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ends.append(time.perf_counter())
            if len(self.ends) == stop_after:
                os.kill(os.getpid(), signal.SIGTERM)

        @property
        def seconds(self) -> float:
            """The median of a step's; the first one is compiled and does not count."""
            pairs = zip(self.ends, self.ends[1:], strict=False)
            return statistics.median(after - before for before, after in pairs)

    return Clock()


class Memory:
    """The resident memory of this process in MB, looked at ten times a second."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._stop = threading.Event()

    @contextmanager
    def watched(self) -> Iterator["Memory"]:
        """Look while inside."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()
            self.seen.append(_resident())

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            self.seen.append(_resident())

    @property
    def figures(self) -> Figures:
        """The memory after a tenth of the time, at its end, and the most of it."""
        early = self.seen[len(self.seen) // 10]
        return {"mb_early": early, "mb_end": self.seen[-1], "mb_most": max(self.seen)}


def _resident() -> float:
    """Return this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
