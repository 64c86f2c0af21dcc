"""A training that is killed at a moment that is drawn for it: what `kills` starts again and again.

In a save the process kills itself at one of the calls of which a write consists, or tells whoever
started it that a write begins, to be killed from outside a random time later.
"""

import hashlib
import json
import os
import random
import signal
import tempfile
import zipfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import keras

import kcnn
from kcnn.run_dir import atomic
from kcnn.training import Checkpoints
from tests import interrupted

RESULT = "result.json"


@dataclass(frozen=True)
class Moment:
    """When a training is killed.

    Attributes:
        calls: In the so-manieth call of a write, counted from the start of the process: by itself
            if `within` is 0. None for a kill from outside at any time.
        within: Seconds to wait before the kill from outside.
        cut: Whether the temporary file is cut off before, as if it were half written.
    """

    calls: int | None
    within: float = 0.0
    cut: bool = False


def train(folder: str, moment: Moment | None, parent: Connection) -> None:
    """Train in a process of its own, from the state in `folder` on; at the end write the result."""
    _be_quiet()
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    else:
        _keep_compiled(Path(folder).parent / "compiled")
    path = Path(folder)
    path.mkdir(exist_ok=True)
    if moment:
        _report_writes(moment, parent)
    best = kcnn.callbacks.BestModel(path / "best.keras")
    bests = _Bests(best)
    files = [best, kcnn.callbacks.HistoryFile(path / "history.csv"), bests]
    checkpoints = Checkpoints(path, every=3)
    parent.send("begun")
    found = interrupted.found(*interrupted.train(checkpoints=checkpoints, more=files))
    found["history.csv"] = (path / "history.csv").read_text()
    found["bests"] = bests.digests
    with atomic(path / RESULT) as temporary:
        temporary.write_text(json.dumps(found))


def digest_of(file: Path) -> str:
    """Return the digest of the weights in a `.keras` file; its zip has the time of day in it.

    Raises:
        OSError, zipfile.BadZipFile, KeyError: the file is absent or not whole.
    """
    with zipfile.ZipFile(file) as archive:
        return hashlib.sha256(archive.read("model.weights.h5")).hexdigest()


class _Bests(keras.callbacks.Callback):
    """Remembers which model the file of the best one had after each epoch."""

    def __init__(self, best: kcnn.callbacks.BestModel) -> None:
        super().__init__()
        self.file, self.digests = best.path, []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.digests.append(digest_of(self.file))

    def state(self) -> dict:
        return {"digests": self.digests}

    def restore(self, state: dict) -> None:
        self.digests = list(state["digests"])


def _report_writes(moment: Moment, parent: Connection) -> None:
    """Have every call of a write counted, and the process killed in the one that is drawn.

    A write of `kcnn.run_dir.atomic` makes a temporary file, flushes it, gives it its permissions,
    renames it and flushes the folder. A state is kept by one more rename.
    """
    calls, written = [0], [""]

    def enter(name: str) -> None:
        calls[0] += 1
        if calls[0] != moment.calls:
            return
        parent.send((name, Path(written[0]).name))
        if moment.within == 0.0:
            if moment.cut and Path(written[0]).name[0] == "." and os.path.exists(written[0]):
                size = os.path.getsize(written[0])
                os.truncate(written[0], random.randrange(size + 1))
            os.kill(os.getpid(), signal.SIGKILL)

    make, flush, permit, rename = tempfile.mkstemp, os.fsync, os.chmod, os.replace

    def mkstemp(*arguments, **options):
        handle, written[0] = make(*arguments, **options)
        enter("made")
        return handle, written[0]

    def fsync(handle):
        enter("flush")
        return flush(handle)

    def chmod(*arguments, **options):
        enter("permissions")
        return permit(*arguments, **options)

    def replace(source, target):
        if Path(source).name.startswith("last."):  # it becomes the one before
            written[0] = target
        enter("rename")
        return rename(source, target)

    tempfile.mkstemp, os.fsync, os.chmod, os.replace = mkstemp, fsync, chmod, replace


def _keep_compiled(folder: Path) -> None:
    """Let JAX keep its compiled code in a folder: a process then begins in a second."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # the progress bar
    if not os.environ.get("KCNN_DEBUG"):
        os.dup2(nowhere, 2)  # TensorFlow's and XLA's own lines
