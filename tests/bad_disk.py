"""Runs of the command where the disk fails: what tests/test_bad_disk.py has one process do.

The soft limit of the size of a file stands for a full disk: a write beyond it fails in its middle.
"""

import contextlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import keras

from kcnn import provenance
from kcnn.cli import main as kcnn
from kcnn.recipe import Data, Model, Recipe, Train, to_json
from tests.command import started
from tests.test_lock import HOLD

RECIPE = Recipe(
    data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
    model=Model(name="mlp", options={"units": 8, "depth": 1}),
    train=Train(epochs=3, checkpoint_steps=1),
    prune=None,
    quantize=None,
    explain=None,
)
# Bytes of which no more fit into a file: of a recipe, of a state.
FULL = (200, 20_000)


def command(*arguments):
    """Return how a command ends and what it prints."""
    output, errors = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            kcnn([str(each) for each in arguments])
        except SystemExit as end:
            code = end.code
    return {"code": code, "output": output.getvalue(), "errors": errors.getvalue()}


def train(folder, *flags):
    """Run the recipe into a folder."""
    return command("run", folder.parent / "mine.py", "--out", folder, "--deterministic", *flags)


@contextlib.contextmanager
def full_disk(size):
    """Let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def at_the_end_of(epoch, action):
    """Have something done when an epoch of the training ends."""
    on_epoch_end = keras.callbacks.History.on_epoch_end

    def act(history, number, logs=None):
        on_epoch_end(history, number, logs)
        if number == epoch:
            action()

    keras.callbacks.History.on_epoch_end = act
    try:
        yield
    finally:
        keras.callbacks.History.on_epoch_end = on_epoch_end


@contextlib.contextmanager
def clock_going_backwards():
    """Let every look at the clock show an earlier hour."""
    start, looks = datetime.now(UTC), iter(range(10_000))

    class Backwards(datetime):
        @classmethod
        def now(cls, zone=None):
            return start - timedelta(hours=next(looks))

    provenance.datetime = Backwards
    try:
        yield
    finally:
        provenance.datetime = datetime


def contents(folder):
    """Return the names and sizes in a folder, and the digest of what must be equal."""
    return {
        file.relative_to(folder).as_posix(): provenance.sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def write_recipe(folder):
    """Write the recipe that `train` runs beside its folder."""
    text = f"from kcnn.recipe import from_json\n\nrecipe = from_json({to_json(RECIPE)!r})\n"
    (folder / "mine.py").write_text(text)


def main(folder):
    """Do all of it."""
    write_recipe(folder)
    whole, run = folder / "whole", folder / "run"
    done = {"whole": train(whole), "full": []}
    for size in FULL:
        with full_disk(size):
            done["full"].append(train(run) | {"files": contents(run)})
    done["after full"] = train(run) | {"files": contents(run)}
    before = contents(whole)
    with full_disk(FULL[-1]):
        done["full"].append(train(whole, "--overwrite"))
    done["whole is whole"] = contents(whole) == before
    done["whole's files"] = before

    (folder / "file").write_text("")
    mine = folder / "mine.py"
    places = [
        folder / "file",
        folder / "file/run",
        *(["/proc/kcnn/run"] * (sys.platform == "linux")),
    ]
    done["unwritable"] = [command("run", mine, "--out", place) for place in places]

    gone = folder / "gone"
    for name, action in (
        ("removed", lambda: shutil.rmtree(gone)),
        ("renamed", lambda: os.rename(gone, folder / "elsewhere")),
    ):
        with at_the_end_of(1, action):
            done[name] = train(gone) | {"there": gone.exists()}

    with started(
        [sys.executable, "-c", HOLD, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        other.stdout.readline()
        before = contents(run)
        done["second"] = [train(run), train(run, "--overwrite")]
        done["second left all"] = contents(run) == before
        other.kill()
    with clock_going_backwards():
        done["after the second"] = train(run, "--overwrite")
    done["report"] = json.loads((run / "report.json").read_text())
    (folder / "done.json").write_text(json.dumps(done))


def main_of_a_small_disk(folder, disk):
    """Fill a small file system in the middle of a training, empty it, and go on."""
    run, filler = disk / "run", disk / "filler"

    def fill():
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"0" * 512):
                pass

    write_recipe(folder)
    write_recipe(disk)
    done = {"whole": train(folder / "whole")}
    with at_the_end_of(1, fill):
        done["full"] = train(run)
    done["half-written"] = [name for name in contents(run) if "-" in name]
    filler.unlink()
    done["after full"] = train(run)
    histories = [(each / "history.csv").read_text() for each in (run, folder / "whole")]
    done["equal"] = histories[0] == histories[1]
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    match [Path(each) for each in sys.argv[1:]]:
        case [folder]:
            main(folder)
        case [folder, disk]:
            main_of_a_small_disk(folder, disk)
