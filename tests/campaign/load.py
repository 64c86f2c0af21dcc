"""What grows with use: memory, open files and threads after many epochs and predictions.

    python -m tests.campaign.load

Every activity runs in a process of its own, beside what Keras itself shows where it does the same.
It is measured when everything has been done often enough to be warm, and again at the end.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import keras
import numpy as np

import kcnn
from kcnn.litert import TFLiteClassifier
from tests import interrupted

ROOT = Path(__file__).parents[2]
FILE = ROOT / "saved_models/resnet8_int8/model_int8.tflite"
# Bytes by which the memory may grow after the warm-up beyond Keras's own growth: allocators keep
# what is freed, in steps of this order.
SLACK = 16 * 2**20
THREADS = 8
KERAS = "Keras: "  # before the name of what Keras does alone

Seen = Callable[[], None]


@dataclass(frozen=True)
class Use:
    """What a process uses: bytes of memory, open files, threads."""

    memory: int
    handles: int
    threads: int

    @classmethod
    def now(cls) -> "Use":
        """Measure this process."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        handles, threads = (len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task"))
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), handles, threads)


@dataclass
class Load:
    """How much more each activity used at its end than when it was warm.

    Attributes:
        growth: memory in bytes, handles, threads, by activity.
        warm: how often it had been done at the first measurement, by activity.
        count: how often at the end.
        seconds: how long all of it took.
    """

    growth: dict[str, dict[str, int]] = field(default_factory=dict)
    warm: dict[str, int] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether nothing grew beyond what Keras shows."""
        nothing = {"memory": 0, "handles": 0, "threads": 0}
        for name, mine in self.growth.items():
            if name.startswith(KERAS):
                continue
            theirs = self.growth.get(f"{KERAS}{name}", nothing)
            allowed = {what: max(theirs[what], 0) for what in theirs}
            allowed["memory"] += SLACK
            if any(mine[what] > allowed[what] for what in mine):
                return False
        return True


def train(epochs: int, seen: Seen) -> None:
    """Train with everything that writes files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kcnn.train(
            interrupted.network(),
            kcnn.data.load("digits", augment="shift"),
            epochs=epochs,
            callbacks=[
                kcnn.callbacks.BestModel(folder / "best.keras"),
                kcnn.callbacks.HistoryFile(folder / "history.csv"),
                _after_each_epoch(seen),
            ],
            resume=folder / "state",
        )


def train_with_keras(epochs: int, seen: Seen) -> None:
    """Train by Keras's own `fit` on the same batches, with its own callbacks for the same files."""
    with tempfile.TemporaryDirectory() as name:
        model, data = interrupted.network(), kcnn.data.load("digits", augment="shift")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        model.fit(
            data.train,
            validation_data=data.validation,
            epochs=epochs,
            callbacks=[
                keras.callbacks.ModelCheckpoint(f"{name}/best.keras", save_best_only=True),
                keras.callbacks.BackupAndRestore(f"{name}/backup"),
                keras.callbacks.CSVLogger(f"{name}/history.csv"),
                _after_each_epoch(seen),
            ],
            verbose=0,
        )


def predict_with_litert(count: int, seen: Seen) -> None:
    """Classify images from several threads with one classifier."""
    _call(TFLiteClassifier(FILE), count, seen)


def predict(count: int, seen: Seen) -> None:
    """Classify images from several threads with a Keras model and `kcnn.predict`."""
    _call(partial(kcnn.predict, interrupted.network()), count, seen)


def predict_with_keras(count: int, seen: Seen) -> None:
    """Call the same Keras model from several threads."""
    model = interrupted.network()
    _call(lambda images: np.asarray(model(images, training=False)), count, seen)


ACTIVITIES: dict[str, tuple[Callable[[int, Seen], None], int]] = {
    "epochs": (train, 50),
    f"{KERAS}epochs": (train_with_keras, 50),
    "predictions of TFLiteClassifier": (predict_with_litert, 10_000),
    "predictions of kcnn.predict": (predict, 10_000),
    f"{KERAS}predictions of kcnn.predict": (predict_with_keras, 10_000),
}


def run(names: Iterable[str] = ACTIVITIES, share: float = 1.0) -> Load:
    """Do everything, or what is named, so often as it says, or a share of that."""
    begun, load = time.monotonic(), Load()
    for name in names:
        times = round(ACTIVITIES[name][1] * share)
        done = subprocess.run(
            [sys.executable, "-m", __name__, f"--activity={name}", f"--count={times}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        load.growth[name] = json.loads(done.stdout.splitlines()[-1])
        load.warm[name], load.count[name] = _warm(times), times
    load.seconds = round(time.monotonic() - begun, 1)
    return load


def _warm(count: int) -> int:
    return count // 5


def _measure(activity: Callable[[int, Seen], None], count: int) -> dict[str, int]:
    uses, numbers = [], iter(range(1, count + 1))

    def seen() -> None:
        if next(numbers) in (_warm(count), count):
            uses.append(Use.now())

    activity(count, seen)
    before, after = map(asdict, uses)
    return {name: after[name] - before[name] for name in before}


def _after_each_epoch(seen: Seen) -> keras.callbacks.Callback:
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen())


def _call(classify: Callable[[np.ndarray], object], count: int, seen: Seen) -> None:
    images = np.random.default_rng(0).integers(0, 256, (64, 1, 32, 32, 3), np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, count, len(images)):
            for _ in pool.map(classify, images[: count - start]):
                seen()


def main() -> None:
    """Measure one activity, or print what all of them came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.load", description=__doc__)
    parser.add_argument("--activity", choices=ACTIVITIES)
    parser.add_argument("--count", type=int, default=0)
    given = parser.parse_args()
    if given.activity:
        activity, count = ACTIVITIES[given.activity]
        found = _measure(activity, given.count or count)
        sys.stdout.write("\n" + json.dumps(found) + "\n")
    else:
        load = run()
        sys.stdout.write(json.dumps(asdict(load) | {"held": load.held}, indent=2) + "\n")


if __name__ == "__main__":
    main()
