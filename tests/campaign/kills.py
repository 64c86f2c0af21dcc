"""Trainings that are killed at random moments and go on: nothing may be lost or differ."""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

SAVED = ("last.state", "previous.state", "best.keras", "history.csv")


@dataclass
class Kills:
    """What came of the kills so far.

    Attributes:
        kills: how many processes were killed.
        in_saves: how many of them while a file was being written.
        trainings: how many trainings were killed, went on and ended.
        unreadable: how many files under their final names could not be read after a kill.
        different: how many trainings ended in other bits than the one that was not killed.
    """

    kills: int = 0
    in_saves: int = 0
    trainings: int = 0
    unreadable: int = 0
    different: int = 0


def run(kills: int, seconds: float, seed: int = 0) -> Kills:
    """Kill trainings until there were so many kills, or so many seconds are over."""
    context = multiprocessing.get_context("forkserver")
    # Imported once; a process that is forked from there begins at once.
    context.set_forkserver_preload(["tensorflow", "tests.interrupted"])
    draw, found, end = random.Random(seed), Kills(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        expected = _train_through(context, Path(name) / "whole")
        while found.kills < kills and time.monotonic() < end:
            folder = Path(name) / f"killed_{found.trainings}"
            for _ in range(draw.randint(1, 3)):
                if not _kill(context, folder, draw, found):
                    break
                found.unreadable += sum(not _is_readable(folder / each) for each in SAVED)
            found.trainings += 1
            found.different += _train_through(context, folder) != expected
    return found


def train(folder: str) -> None:
    """Train in a process of its own, from the state in `folder` on; at the end write the result."""
    import tensorflow as tf

    import kcnn
    from kcnn.run_dir import atomic
    from kcnn.training import Checkpoints
    from tests import interrupted

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the progress bar
    tf.config.experimental.enable_op_determinism()
    path = Path(folder)
    files = [
        kcnn.callbacks.BestModel(path / "best.keras"),
        kcnn.callbacks.HistoryFile(path / "history.csv"),
    ]
    checkpoints = Checkpoints(path, every=3)
    found = interrupted.found(*interrupted.train(checkpoints=checkpoints, more=files))
    found["history.csv"] = (path / "history.csv").read_text()
    with zipfile.ZipFile(path / "best.keras") as best:
        weights = best.read("model.weights.h5")
    found["best"] = hashlib.sha256(weights).hexdigest()
    with atomic(path / "result.json") as temporary:
        temporary.write_text(json.dumps(found))


def _train_through(context: multiprocessing.context.ForkServerContext, folder: Path) -> str:
    process = context.Process(target=train, args=(str(folder),))
    process.start()
    process.join()
    return (folder / "result.json").read_text() if process.exitcode == 0 else "failed"


def _kill(
    context: multiprocessing.context.ForkServerContext,
    folder: Path,
    draw: random.Random,
    found: Kills,
) -> bool:
    """Start a training and kill it, in a save or a little later; return whether it still ran."""
    process = context.Process(target=train, args=(str(folder),))
    process.start()
    for _ in range(draw.randint(1, 12)):  # writes to let pass
        while process.is_alive() and not _is_saving(folder):
            pass
        while process.is_alive() and _is_saving(folder):
            pass
    if draw.random() < 0.6:
        while process.is_alive() and not _is_saving(folder):
            pass
    else:
        time.sleep(draw.uniform(0.0, 0.1))
    if process.pid is None or not process.is_alive():
        return False
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    found.in_saves += _is_saving(folder)  # what a killed write leaves
    found.kills += 1
    return True


def _is_saving(folder: Path) -> bool:
    try:
        return any(name[0] == "." for name in os.listdir(folder))
    except FileNotFoundError:
        return False


def _is_readable(file: Path) -> bool:
    from kcnn.training import TrainingState

    if not file.exists():
        return True  # not written yet
    try:
        if file.suffix == ".state":
            TrainingState.load(file)
        elif file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        else:
            return file.read_text().endswith("\n")
    except (ValueError, OSError, zipfile.BadZipFile):
        return False
    return True
