"""One training in several processes, on one machine or on several, on JAX.

Every process loads the data, builds the model and takes the same steps; each computes its share of
every batch on its own devices. The first one is that of the run: it alone writes into the run's
folder, and when the training is done it goes on alone. The others keep what the callbacks of a
training write in a temporary folder, so that all decide alike.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.errors import one_line
from kcnn.pipeline.backend import check_backend, on_jax
from kcnn.pipeline.prepare import prepare
from kcnn.pipeline.setup import load_for_jax, with_absolute_data
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir
from kcnn.training.devices import Devices
from kcnn.training.precision import known_precision

_COUNTS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "SLURM_NTASKS")

logger = logging.getLogger("kcnn")


def join_processes() -> None:
    """Connect with the other processes, where the environment says that there are any.

    They are those of `keras.distribution.initialize` (KERAS_DISTRIBUTION_JOB_ADDRESSES,
    ..._NUM_PROCESSES and ..._PROCESS_ID), or the tasks of a SLURM job.

    Raises:
        ValueError: The backend is not JAX, or the variables of the environment contradict each
            other.
        RuntimeError: The other processes cannot be reached.
    """
    counts = [os.environ[name] for name in _COUNTS if os.environ.get(name, "1") != "1"]
    if not counts:
        return
    if not on_jax():
        raise ValueError(
            "Several processes train on JAX only, because Keras 3 cannot train under "
            "MultiWorkerMirroredStrategy (https://github.com/keras-team/keras/issues/20585): set "
            f"KERAS_BACKEND=jax. Received: {counts[0]} processes"
        )
    try:
        keras.distribution.initialize()
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The processes of a training need KERAS_DISTRIBUTION_JOB_ADDRESSES (HOST:PORT of the "
            "first one), KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID (from "
            f"0): {one_line(error)}"
        ) from error
    except RuntimeError as error:
        raise RuntimeError(f"The processes cannot be connected: {one_line(error)}") from error
    import jax

    logger.info(
        "process %d of %d, with %d of %d devices",
        jax.process_index() + 1,
        jax.process_count(),
        jax.local_device_count(),
        jax.device_count(),
    )


def check_flags(devices: Devices | None, *, control: bool) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ValueError: They are not to use all devices, or are to train a control.
    """
    if _count() == 1:
        return
    if devices != "all":
        raise ValueError("Several processes train on all of their devices: pass --devices all.")
    if control:
        raise ValueError("--control is another training, which one process does alone.")


def _count() -> int:
    if not on_jax():
        return 1
    import jax

    return jax.process_count()


def is_helper() -> bool:
    """Return whether this process helps to train, and the run is another one's."""
    if not on_jax():
        return False
    import jax

    return jax.process_index() > 0


def help_training(recipe: Recipe, data_dir: str | None = None) -> None:
    """Take part in the training of a run that the first process makes.

    Raises:
        ValueError: The recipe cannot be trained.
        RuntimeError: The data cannot be had, or training diverged.
    """
    recipe = with_absolute_data(recipe)
    check_backend(recipe)
    data = load_for_jax(recipe, data_dir)
    prepared = prepare(_in_known_precision(recipe), data, "all")
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        run_dir = RunDir(Path(folder))
        if _share(run_dir, wanted=True):
            prepared.training(
                callbacks=callbacks_for(recipe.train, data, run_dir.path),
                resume=run_dir.state,
                checkpoint_steps=recipe.train.checkpoint_steps,
            )
    _part()


@dataclass
class Helpers:
    """The other processes, as the first one sees them; there may be none.

    Attributes:
        count: How many.
        begun: Whether they train.
    """

    count: int
    begun: bool = False

    def begin(self, run_dir: RunDir) -> None:
        """Let them train from the kept state of the run, if there is one."""
        if self.count:
            self.begun = True
            _share(run_dir, wanted=True)

    def end(self) -> None:
        """Let them go: from here on this process is alone."""
        if self.count and not self.begun:
            _share(RunDir(Path()), wanted=False)
        if self.count:
            _part()
        self.count = 0


@contextmanager
def helpers() -> Iterator[Helpers]:
    """Yield the other processes; what is refused before the training lets them go, too."""
    found = Helpers(_count() - 1)
    try:
        yield found
    finally:
        if not found.begun:
            found.end()


def _share(run_dir: RunDir, *, wanted: bool) -> bool:
    """Give the kept states of the first process to all; each process calls this at once.

    Returns:
        Whether the first process wants to train.
    """
    from jax.experimental.multihost_utils import broadcast_one_to_all

    if not int(broadcast_one_to_all(np.int32(wanted))):
        return False
    for part_of_training in ("", "head"):
        checkpoints = Checkpoints(run_dir.state / part_of_training)
        kept = b""
        if not is_helper() and checkpoints.load() is not None:
            file = checkpoints.last if checkpoints.last.is_file() else checkpoints.previous
            kept = file.read_bytes()
        size = int(broadcast_one_to_all(np.int32(len(kept))))
        if not size:
            continue
        content = np.frombuffer(kept or bytes(size), np.uint8)
        received = np.asarray(broadcast_one_to_all(content)).tobytes()
        if is_helper():
            checkpoints.folder.mkdir(parents=True, exist_ok=True)
            checkpoints.last.write_bytes(received)
    return True


def _part() -> None:
    import jax

    jax.distributed.shutdown()


def _in_known_precision(recipe: Recipe) -> Recipe:
    from kcnn.pipeline.precision import with_precision

    if recipe.transfer:
        return with_precision(recipe, "float32")
    return with_precision(recipe, known_precision() or "float32")
