"""What it costs to keep the state of a training: ResNet-20 on CIFAR-10, with and without.

    python -m benchmarks.checkpoints [--data-dir FOLDER]

One training takes turns: an epoch in which no state is kept, an epoch in which one is kept every
few steps, and so on. What differs is the cost of these saves, with everything that belongs to them:
waiting for the steps before, copying the variables, the digest, and flushing file and folder. It
writes `checkpoints.json`, from which RELIABILITY.md has its figures.
"""

import argparse
import dataclasses
import json
import logging
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import keras

from kcnn import recipe_files
from kcnn.pipeline.precision import resolve_precision
from kcnn.pipeline.setup import build, load
from kcnn.pipeline.training_setup import optimizer_for
from kcnn.provenance import git_commit, hardware, timestamp, versions
from kcnn.recipe import Recipe
from kcnn.run_dir import atomic
from kcnn.training import Checkpoints, Objective
from kcnn.training.trainer import run_training

OUT = Path(__file__).parent / "checkpoints.json"
OFTEN = 100  # steps: an interval that a recipe may set

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        model: the network.
        steps: of an epoch that was measured.
        saves: in each epoch that keeps states.
        without: seconds of each epoch without states.
        kept: seconds of each epoch with them.
        state_bytes: the size of a state.
        real_steps: of an epoch of the whole recipe.
        load: the machine's load average at the beginning and at the end.
    """

    model: str
    steps: int
    saves: int
    without: tuple[float, ...]
    kept: tuple[float, ...]
    state_bytes: int
    real_steps: int
    load: tuple[float, float]

    @property
    def save_seconds(self) -> float:
        """Seconds of a save: the median difference of neighboring epochs, over their saves."""
        pairs = zip(self.without, self.kept, strict=True)
        return statistics.median(kept - without for without, kept in pairs) / self.saves

    def overhead(self, every: int | None = None) -> float:
        """Return what states cost, as a share of the training's time without validation.

        Args:
            every: after how many steps one is kept, besides the one at an epoch's end.
        """
        saves = 1 if every is None else 1 + self.real_steps // every
        epoch = statistics.median(self.without) * self.real_steps / self.steps
        return saves * self.save_seconds / epoch


@dataclass(frozen=True)
class InTurns(Checkpoints):
    """Checkpoints that are kept in every second epoch: false where none are."""

    epochs: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether the running epoch keeps states."""
        return len(self.epochs) % 2 == 1


class Clock(keras.callbacks.Callback):
    """Takes the time of every epoch, without validation but with the state at its end."""

    def __init__(self, turns: InTurns, steps: int) -> None:
        super().__init__()
        self.turns, self.steps, self.begun = turns, steps, 0.0
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Begin with the first step."""
        if epoch:
            self.seconds[-1] += time.perf_counter() - self.begun  # of the state
            self.turns.epochs.append(epoch)
        self.begun = time.perf_counter()

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Stop: the steps are done."""
        self.seconds.append(time.perf_counter() - self.begun)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Go on: the state of the epoch's end is kept after this."""
        self.begun = time.perf_counter()

    def on_train_end(self, logs: dict | None = None) -> None:
        """End with the last state."""
        self.seconds[-1] += time.perf_counter() - self.begun


def measure(recipe: Recipe, *, rounds: int, every: int, data_dir: str | None) -> Measured:
    """Train a recipe's network in turns, after one epoch to warm up.

    Args:
        recipe: whose `data.limit` says how long an epoch is.
        rounds: epochs of each kind.
        every: after how many steps of an epoch a state is kept.
        data_dir: where prepared tfds data sets lie.
    """
    before = os.getloadavg()[0]
    data = load(recipe, data_dir)
    keras.utils.set_random_seed(recipe.seed)
    with tempfile.TemporaryDirectory() as name:
        turns = InTurns(Path(name) / "state", every=every)
        clock = Clock(turns, data.steps_per_epoch)
        run_training(
            build(recipe, data),
            data,
            Objective(recipe.train.label_smoothing),
            epochs=2 * rounds + 2,
            optimizer=optimizer_for(recipe.train, data),
            callbacks=[clock],
            checkpoints=turns,
        )
        size = turns.last.stat().st_size
    # The first two, one of each kind, warm up.
    return Measured(
        model=recipe.model.builder,
        steps=data.steps_per_epoch,
        saves=1 + data.steps_per_epoch // every,
        without=tuple(clock.seconds[2::2]),
        kept=tuple(clock.seconds[3::2]),
        state_bytes=size,
        real_steps=0,
        load=(before, os.getloadavg()[0]),
    )


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=60, help="of a measured epoch")
    parser.add_argument("--every", type=int, default=5, help="steps between two states")
    parser.add_argument("--rounds", type=int, default=4, help="epochs of each kind")
    parser.add_argument("--data-dir", help="the folder of prepared tfds data sets")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = recipe_files.load("resnet20").recipe
    whole = load(recipe, given.data_dir)
    recipe, _ = resolve_precision(recipe, whole, given.data_dir)
    limit = round(given.steps * recipe.data.batch_size / (1 - recipe.data.validation))
    section = dataclasses.replace(recipe.data, limit=limit)
    short = dataclasses.replace(recipe, data=section)
    measured = dataclasses.replace(
        measure(short, rounds=given.rounds, every=given.every, data_dir=given.data_dir),
        real_steps=whole.steps_per_epoch,
    )
    figures = dataclasses.asdict(measured) | {
        "save_seconds": measured.save_seconds,
        "overhead": measured.overhead(),
        f"overhead_{OFTEN}_steps": measured.overhead(OFTEN),
        "date": timestamp(),
        "commit": git_commit(__file__),
        "hardware": hardware(),
        "versions": versions(("kcnn", "tensorflow", "keras")),
    }
    with atomic(given.out) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n")
    logger.info(
        "%.1f ms a save, %.3f%% of the training with one an epoch, %.3f%% with one every %d steps",
        1000 * measured.save_seconds,
        100 * measured.overhead(),
        100 * measured.overhead(OFTEN),
        OFTEN,
    )


if __name__ == "__main__":
    main()
