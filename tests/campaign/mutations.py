"""Damaged files through every loader: each is read as it was, or refused in one line.

A process of its own reads them one after the other. It is replaced only when it ends, which counts
as a crash, or as a hang where its alarm ended it.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE

from tests.campaign.loaders import LOADERS

PROCESSOR_SECONDS, SECONDS = 5, 60  # the latter for a machine with much else to do
MEMORY = 2**32  # bytes that a file may make the process take, beside what it had
_SHOWN = 20
_IN_MEMORY = Path("/dev/shm")

Job = tuple[str, int, int]
"""A kind of file, and the numbers of its files: of the first, and behind the last."""


@dataclass
class Damaged:
    """What came of the damaged files of one kind.

    Attributes:
        files: how many were tried.
        refused: how many were refused, in one line that names the file.
        loaded: how many were read, where the content is protected, as it was before.
        failures: what should not happen, the first ones: a crash, a hang, another error, an error
            without the file's name, or a change that went unnoticed.
        failed: how many of these there were.
    """

    files: int = 0
    refused: int = 0
    loaded: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether nothing happened that should not."""
        return not self.failed

    def add(self, outcome: str, place: int, detail: str = "") -> None:
        """Count one file."""
        self.files += 1
        if outcome == "refused":
            self.refused += 1
        elif outcome == "loaded":
            self.loaded += 1
        else:
            self.failed += 1
            if len(self.failures) < _SHOWN:
                self.failures.append(f"file {place}: {outcome}: {detail}"[:300])


def run(files: int | None, seconds: float, names: Iterable[str] = LOADERS) -> dict[str, Damaged]:
    """Try damaged files of every kind, so many of each, until so many seconds are over.

    Args:
        files: of each kind; None for as many as CI tries.
        seconds: for all of them together.
        names: of the kinds.
    """
    found = {name: Damaged() for name in names}
    groups: dict[str, list[Job]] = {}
    for name in found:
        job = (name, 0, LOADERS[name].files if files is None else files)
        groups.setdefault(LOADERS[name].imports, []).append(job)
    for jobs in groups.values() if files != 0 else ():
        _try_all(jobs, seconds / len(found), found)
    return found


def _try_all(jobs: list[Job], seconds: float, found: dict[str, Damaged]) -> None:
    """Try the files of some kinds, each for so many seconds at most."""
    while jobs:
        command = [sys.executable, "-m", __name__, json.dumps(jobs), str(seconds)]
        name, place = jobs[0][0], jobs[0][1] - 1
        with subprocess.Popen(command, stdout=PIPE, stderr=DEVNULL) as process:
            for line in process.stdout or ():
                name, place, outcome, detail = json.loads(line)
                found[name].add(outcome, place, detail)
        if process.returncode == 0:
            return
        if process.returncode == 1:
            raise RuntimeError(f"The process that reads {name} failed: {' '.join(command)}")
        done = [job[0] for job in jobs].index(name)
        last = jobs[done][2]
        if place + 1 == last and done + 1 < len(jobs):  # it ended before the next kind's first
            done, place = done + 1, -1
            name, last = jobs[done][0], jobs[done][2]
        found[name].add("the process ended", place + 1, _ending(process.returncode))
        jobs = [(name, place + 2, last), *jobs[done + 1 :]]
        jobs = [job for job in jobs if job[1] < job[2]]


def _ending(code: int) -> str:
    if -code in (signal.SIGPROF, signal.SIGALRM):
        return "it took too long"
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def _read(name: str, first: int, last: int, seconds: float) -> Iterator[tuple[int, str, str]]:
    """Damage and read the files of these numbers, and yield what came of each."""
    loader = LOADERS[name]
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        paths = loader.make(Path(folder))
        whole = {path: path.read_bytes() for path in paths}
        before = {path: loader.load(path) for path in paths}
        _limit_memory()
        end = time.monotonic() + seconds  # without the time of imports
        for place in range(first, last):
            draw = random.Random(f"{name} {place}")
            path = draw.choice(paths)
            path.write_bytes(loader.mutate(whole[path], draw))
            _set_alarms(PROCESSOR_SECONDS, SECONDS)
            outcome, detail = _outcome(name, path, before[path])
            _set_alarms(0, 0)
            path.write_bytes(whole[path])
            yield place, outcome, detail
            if time.monotonic() > end:
                return


def _outcome(name: str, path: Path, before: object) -> tuple[str, str]:
    loader = LOADERS[name]
    try:
        content = loader.load(path)
    except (ValueError, RuntimeError, OSError) as error:
        text = str(error)
        if isinstance(error, UnicodeError | RecursionError | NotImplementedError):
            return "another error", repr(error)
        if len(text.splitlines()) != 1 or not text.isprintable() or len(text) > 1000:
            return "not one line", text
        # Of a folder whose file fits no more, and of a set that several files describe.
        named = any(each in text for each in (path.name, path.parent.name, "kcnn_tiny"))
        return ("refused", "") if named else ("no name", text)
    except BaseException as error:
        return "another error", repr(error)
    if loader.protected and content != before:
        return "unnoticed", repr(content)
    return "loaded", ""


def _set_alarms(processor: float, real: float) -> None:
    """End this process after so many seconds, also within native code; 0 for no end."""
    signal.setitimer(signal.ITIMER_PROF, processor)
    signal.setitimer(signal.ITIMER_REAL, real)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(jobs: str, seconds: str) -> None:
    """Print one line of JSON for each file."""
    warnings.simplefilter("ignore")
    results = os.fdopen(os.dup(1), "w")  # nothing that a library prints comes between
    os.dup2(2, 1)
    for name, first, last in json.loads(jobs):
        import_module(LOADERS[name].imports)
        for found in _read(name, first, last, float(seconds)):
            print(json.dumps([name, *found]), file=results, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
