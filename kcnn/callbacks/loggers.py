"""Trackers of experiments, each by its own Keras callback."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import keras

from kcnn.errors import one_line
from kcnn.run_dir import atomic


def check_installed(name: str) -> None:
    """Raise a RuntimeError unless the package of a logger is installed.

    Args:
        name: "tensorboard", "mlflow" or "wandb".
    """
    if find_spec(name) is None:
        raise RuntimeError(f"{name!r} is not installed: pip install 'kcnn[{name}]'")


@contextmanager
def track(
    names: Sequence[str], folder: str | os.PathLike
) -> Iterator[list[keras.callbacks.Callback]]:
    """Begin a run of each tracker, and yield the trackers' own Keras callbacks.

    MLflow writes where its tracking URI says (MLFLOW_TRACKING_URI), Weights & Biases as WANDB_MODE,
    WANDB_PROJECT and the like say. The run has the name of the folder. A training that was stopped
    goes on in the same run, whose number is kept beside its state.

    Args:
        names: "mlflow" and "wandb", or none.
        folder: the folder of the training.

    Raises:
        RuntimeError: a tracker cannot begin a run, as where its server does not answer.

    >>> with track([], "my_run") as callbacks:
    ...     callbacks
    []
    """
    callbacks: list[keras.callbacks.Callback] = []
    with ExitStack() as open_runs:
        for name in names:
            if name not in _TRACKERS:  # TensorBoard has no runs
                continue
            try:
                callbacks.append(open_runs.enter_context(_TRACKERS[name](Path(folder))))
            except Exception as error:  # they have errors of their own
                raise RuntimeError(f"{name} cannot begin a run: {one_line(error)}") from error
        yield callbacks


@contextmanager
def _mlflow(folder: Path) -> Iterator[keras.callbacks.Callback]:
    mlflow, keras_part = import_module("mlflow"), import_module("mlflow.keras")
    kept = _kept(folder, "mlflow")
    known = kept.read_text() if kept.is_file() else None
    with mlflow.start_run(run_id=known, run_name=None if known else folder.resolve().name) as run:
        _keep(kept, run.info.run_id)
        yield keras_part.MlflowCallback()


@contextmanager
def _wandb(folder: Path) -> Iterator[keras.callbacks.Callback]:
    wandb, keras_part = import_module("wandb"), import_module("wandb.integration.keras")
    kept = _kept(folder, "wandb")
    known = kept.read_text() if kept.is_file() else None
    name, project = folder.resolve().name, os.environ.get("WANDB_PROJECT", "kcnn")
    options = {"id": known, "resume": "allow"} if known else {"name": name}
    with wandb.init(project=project, dir=str(folder), **options) as run:
        _keep(kept, run.id)
        yield keras_part.WandbMetricsLogger()


_TRACKERS: dict[str, Callable[[Path], AbstractContextManager[keras.callbacks.Callback]]] = {
    "mlflow": _mlflow,
    "wandb": _wandb,
}


def _kept(folder: Path, name: str) -> Path:
    return folder / "checkpoints" / f"{name}_run.txt"


def _keep(file: Path, number: str) -> None:
    with atomic(file) as temporary:
        temporary.write_text(number)
