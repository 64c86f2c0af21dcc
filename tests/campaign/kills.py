"""Trainings that are killed at random moments and go on: nothing may be lost or differ.

    python -m tests.campaign.kills --backend jax --kills 100 --seconds 600

Every training has dropout, averaged weights, a plateau and early stopping. It is started in a
process of its own and killed by SIGKILL, again and again, until it ends by itself.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.campaign.killed_training import RESULT, Moment, train
from tests.campaign.saved_files import final_name, has_best, is_readable, saved

ROOT = Path(__file__).parents[2]
WORKERS = 2
# Where a process is killed: by itself in a call of a write, from outside while a write goes on,
# from outside at any time.
BY_ITSELF, IN_A_WRITE = 0.5, 0.85
CALLS = 40  # of a write (5 or 6 belong to one) after which a process is killed at the latest
TEMPORARY = ".*-????????.*"


@dataclass
class Kills:
    """What came of the kills so far.

    Attributes:
        kills: how many processes were killed.
        in_saves: how many of them while a file was being written.
        trainings: how many trainings were killed, went on and ended.
        unreadable: how many files under their final names could not be read after a kill.
        lost_bests: how often the file of the best model had not the best one of the epochs in
            the history.
        different: how many trainings ended otherwise than the one that was not killed: in weights,
            optimizer, memories, history, bests, or in the files that are there.
        seconds: how long it took.
        files: how often each file was being written at a kill.
        calls: in which call of a write processes killed themselves how often.
    """

    kills: int = 0
    in_saves: int = 0
    trainings: int = 0
    unreadable: int = 0
    lost_bests: int = 0
    different: int = 0
    seconds: float = 0.0
    files: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether nothing was lost and nothing differed."""
        return not (self.unreadable or self.lost_bests or self.different)

    def add(self, other: "Kills") -> None:
        """Count what came of one training."""
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            setattr(self, name, _sum(mine, value) if isinstance(value, dict) else mine + value)


def run(kills: int, seconds: float, backend: str, seed: int = 0) -> Kills:
    """Kill trainings on one backend, until there were so many kills or so many seconds are over."""
    wanted = {"kills": kills, "seconds": seconds, "backend": backend, "seed": seed}
    done = subprocess.run(
        [sys.executable, "-m", __name__, *(f"--{name}={value}" for name, value in wanted.items())],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, "TF_NUM_INTRAOP_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Kills(**json.loads(done.stdout))


class Campaign:
    """Trainings in processes that are forked from one in which everything is imported."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder
        self.context = multiprocessing.get_context("forkserver")
        loop = f"kcnn.training.loop_{backend}"
        self.context.set_forkserver_preload(["tensorflow", "tests.campaign.killed_training", loop])
        self.whole = folder / "whole"
        self._start(self.whole, None)
        self.expected = self._end(self.whole)
        self.bests = json.loads(self.expected[0])["bests"] if self.expected[0] else []
        self.total = Kills()
        self._lock = threading.Lock()

    def train(self, kills: int, end: float, seed: int) -> None:
        """Kill trainings until there are enough kills or the time is over."""
        number = 0
        while self.total.kills < kills and time.monotonic() < end:
            draw = random.Random(f"{seed} {number}")
            folder = self.folder / f"killed_{seed}_{number}"
            found = Kills(trainings=1)
            while found.kills + self.total.kills < kills and time.monotonic() < end:
                if not self._kill(folder, _draw_moment(draw), found):
                    break
            if not (folder / RESULT).is_file():
                self._start(folder, None)
            found.different += self._end(folder) != self.expected
            number += 1
            with self._lock:
                self.total.add(found)

    def _kill(self, folder: Path, moment: Moment, found: Kills) -> bool:
        """Start a training, kill it at a moment, and look; return whether it was still running."""
        before = set(folder.glob(TEMPORARY))
        code, call, name = self._start(folder, moment)
        if code != -signal.SIGKILL:
            return False
        found.kills += 1
        left = [file.name for file in set(folder.glob(TEMPORARY)) - before]
        if left and not name:
            name = left[0]
        if name:
            found.in_saves += 1
            found.files = _sum(found.files, {final_name(name): 1})
        if call:
            found.calls = _sum(found.calls, {call: 1})
        found.unreadable += sum(not is_readable(file) for file in saved(folder))
        found.lost_bests += not has_best(folder, self.bests)
        return True

    def _start(self, folder: Path, moment: Moment | None) -> tuple[int | None, str, str]:
        """Run a training up to a moment.

        Returns:
            How it ended, and the call and the file of the write in which it killed itself.
        """
        mine, its = self.context.Pipe()
        process = self.context.Process(target=train, args=(str(folder), moment, its))
        process.start()
        its.close()
        call = name = ""
        try:
            while moment:
                message = mine.recv()
                if message == "begun" and moment.calls is not None:
                    continue
                if moment.within > 0.0:
                    time.sleep(moment.within)
                    process.kill()
                else:
                    call, name = message
                break
        except (EOFError, ConnectionResetError):
            pass  # it ended by itself
        process.join()
        return process.exitcode, call, name

    def _end(self, folder: Path) -> tuple[str, list[str]]:
        """Return how a training ended, and which files are there."""
        result = folder / RESULT
        text = result.read_text() if result.is_file() else ""
        return text, sorted(os.listdir(folder))


def _draw_moment(draw: random.Random) -> Moment:
    kind = draw.random()
    if kind < BY_ITSELF:
        return Moment(draw.randint(1, CALLS), cut=draw.random() < 0.5)
    if kind < IN_A_WRITE:
        return Moment(draw.randint(1, CALLS), within=draw.uniform(1e-5, 4e-3))
    return Moment(None, within=draw.uniform(0.0, 3.0))


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


def main() -> None:
    """Print what came of the kills as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.kills", description=__doc__)
    parser.add_argument("--backend", choices=("tensorflow", "jax"), required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(WORKERS) as pool:
        campaign = Campaign(Path(name), given.backend)
        seeds = range(WORKERS * given.seed, WORKERS * (given.seed + 1))
        each = [pool.submit(campaign.train, given.kills, begun + given.seconds, s) for s in seeds]
        for future in each:
            future.result()
    campaign.total.seconds = round(time.monotonic() - begun, 1)
    sys.stdout.write(json.dumps(asdict(campaign.total)))


if __name__ == "__main__":
    main()
