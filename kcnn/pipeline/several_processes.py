"""One training in several processes, on one machine or on several, on JAX.

Every process loads the data, builds the model and takes the same steps; each computes its share of
every batch on its own devices. The first one is that of the run: it alone writes into the run's
folder, and when the training is done it goes on alone. The others keep what the callbacks of a
training write in a temporary folder, so that all decide alike.
"""

import dataclasses
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import keras

from kcnn.data.jax_data import JaxData
from kcnn.errors import one_line
from kcnn.pipeline.backend import check_backend, on_jax
from kcnn.pipeline.prepare import prepare
from kcnn.pipeline.process_variables import check_variables, wait_for_first
from kcnn.pipeline.setup import load_for_jax, with_absolute_data
from kcnn.pipeline.shared_training import meet, part, share
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir
from kcnn.training import Interrupted
from kcnn.training.devices import Devices

if TYPE_CHECKING:
    from kcnn.data import Data

_COUNTS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "SLURM_NTASKS")

logger = logging.getLogger("kcnn")


def join_processes(devices: Devices | None = "all", *, control: bool = False) -> None:
    """Connect with the other processes, where the environment says that there are any.

    They are those of `keras.distribution.initialize` (KERAS_DISTRIBUTION_JOB_ADDRESSES,
    ..._NUM_PROCESSES and ..._PROCESS_ID), or the tasks of a SLURM job.

    Args:
        devices: What the training is to compute on.
        control: Whether a control is to be trained.

    Raises:
        ValueError: The backend is not JAX, the processes are not to use all devices, are to train a
            control, or the variables of the environment contradict each other.
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
    if devices != "all":
        raise ValueError("Several processes train on all of their devices: pass --devices all.")
    if control:
        raise ValueError("--control is another training, which one process does alone.")
    check_variables()
    wait_for_first()
    logger.info("waiting for %s processes, at most five minutes", counts[0])
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

    The images are those that this process finds by its own recipe. All else, the precision of the
    training included, follows the recipe of the first process.

    Raises:
        ValueError: The recipe cannot be trained, or the processes have different images.
        RuntimeError: The data cannot be had, a process cannot take part, or training diverged.
    """
    recipe = with_absolute_data(recipe)
    try:
        check_backend(recipe)
        data = load_for_jax(recipe, data_dir)
    except (ValueError, RuntimeError):
        if share(None) is not None:
            meet(None)
        part()
        raise
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        run_dir = RunDir(Path(folder))
        try:
            if (common := share(run_dir)) is not None:
                _train_along(dataclasses.replace(common, data=recipe.data), data, run_dir)
        except (ValueError, RuntimeError):
            part()
            raise
    part()


def _train_along(recipe: Recipe, data: JaxData, run_dir: RunDir) -> None:
    try:
        prepared = prepare(recipe, data, "all")
    except (ValueError, RuntimeError):
        meet(None)
        raise
    meet(data)
    try:
        prepared.training(
            callbacks=callbacks_for(recipe.train, data, run_dir.path),
            resume=run_dir.state,
            checkpoint_steps=recipe.train.checkpoint_steps,
        )
    except Interrupted:  # all processes, after the same step
        part()
        raise


@dataclass
class Helpers:
    """The other processes, as the first one sees them; there may be none.

    Attributes:
        count: How many.
        begun: Whether they know what to do.
    """

    count: int
    begun: bool = False

    def begin(self, run_dir: RunDir, recipe: Recipe, data: "Data | JaxData") -> None:
        """Let them train from the kept state of the run, if there is one.

        Raises:
            ValueError: They have other images.
            RuntimeError: One of them cannot take part.
        """
        if not self.count:
            return
        self.begun = True
        share(run_dir, recipe)
        try:
            meet(cast("JaxData", data))
        except (ValueError, RuntimeError):
            self.end()
            raise

    def end(self) -> None:
        """Let them go: from here on this process is alone."""
        if self.count and not self.begun:
            share(None)
        if self.count:
            part()
        self.count = 0


@contextmanager
def helpers() -> Iterator[Helpers]:
    """Yield the other processes; what is refused before the training lets them go, too."""
    found = Helpers(_count() - 1)
    try:
        yield found
    except KeyboardInterrupt:
        found.count = 0  # they notice that this process is gone; waiting for them takes minutes
        raise
    finally:
        if not found.begun:
            found.end()
