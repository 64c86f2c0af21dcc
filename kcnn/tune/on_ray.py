"""A sweep under Ray Tune, and one training in several processes under Ray Train.

Ray finds the machines and starts the processes. What runs in them is a trial of `kcnn tune`, or a
process of `kcnn run --devices all`. It needs Ray: `pip install 'kcnn[ray]'`.
"""

import dataclasses
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kcnn.pipeline import run
from kcnn.pipeline.setup import with_absolute_data
from kcnn.pipeline.several_processes import help_training, is_helper, join_processes
from kcnn.recipe import Recipe
from kcnn.sweep import Sweep
from kcnn.tune.goal import Goal
from kcnn.tune.space import check_space, for_goal, recipe_for
from kcnn.tune.trial_run import TooLarge, TrialResult, run_trial


def ray_objective(
    sweep: Sweep,
    folder: str | os.PathLike,
    *,
    max_bytes: int | None = None,
    max_ms: float | None = None,
    data_dir: str | None = None,
) -> Callable[[dict[str, Any]], None]:
    """Return the objective of a sweep, which `ray.tune.Tuner` takes.

    Ray Tune then draws the values, gives each trial its processors and ends bad ones. It has
    samplers and schedulers of its own; with
    `ray.tune.search.optuna.OptunaSearch(dict(sweep.space), ...)` the space is that of the sweep.

    A trial is an ordinary run in a folder that is called after Ray's trial. It reports `accuracy`
    on the validation images after each epoch and at its end; with a limit only at its end, together
    with `bytes`, `ms` and whether the int8 file is `within` the limits.

    Args:
        sweep: What is searched.
        folder: Where the runs are made, on a file system that all machines share.
        max_bytes: The largest size of the int8 file.
        max_ms: The longest time for an image in LiteRT.
        data_dir: Where prepared tfds data sets lie.

    Raises:
        ValueError: No trial could use the sweep.

    >>> from optuna.distributions import FloatDistribution
    >>> space = {"train.learning_rate": FloatDistribution(1e-3, 1, log=True)}
    >>> objective = ray_objective(Sweep(recipe=Recipe(), space=space), "runs/on_ray")
    """
    goal = Goal(max_bytes, max_ms)
    absolute = dataclasses.replace(sweep, recipe=with_absolute_data(sweep.recipe))
    searched = for_goal(absolute, goal)
    check_space(searched)
    runs = Path(folder).absolute()  # Ray starts a trial in a folder of its own

    def objective(config: dict[str, Any]) -> None:
        from ray import tune  # pyright: ignore[reportMissingImports] - an extra

        def report(epoch: int, accuracy: float) -> None:
            tune.report({"epoch": epoch, "accuracy": accuracy})

        name = f"trial-{tune.get_context().get_trial_id()}"
        try:
            result = run_trial(
                recipe_for(searched, config),
                goal,
                name,
                runs / name,
                data_dir=data_dir,
                report=None if goal.int8 else report,
            )
        except TooLarge as error:
            result = TrialResult(0.0, "", error.bytes)
        found = {"accuracy": result.accuracy}
        if goal.int8:
            within = goal.is_met(result.bytes or 0, result.ms)
            found |= {"bytes": result.bytes, "ms": result.ms, "within": within}
        tune.report(found)

    return objective


def ray_training(
    recipe: Recipe, name: str, folder: str | os.PathLike, *, data_dir: str | None = None
) -> Callable[[], None]:
    """Return what each worker of `ray.train.v2.api.data_parallel_trainer.DataParallelTrainer` does.

    The workers train one network on all of their devices, on the JAX backend (KERAS_BACKEND=jax).
    The first one makes the run, whose folder has the results. A run that was stopped goes on when
    it is started again.

    Args:
        recipe: What to do.
        name: What to call the run.
        folder: The run's folder.
        data_dir: Where prepared tfds data sets lie, on every machine.

    >>> train = ray_training(Recipe(), "on_ray", "runs/on_ray")
    """
    recipe, folder = with_absolute_data(recipe), Path(folder).absolute()

    def train_loop() -> None:
        _introduce()
        join_processes()
        if is_helper():
            help_training(recipe, data_dir)
            return
        report = run(recipe, name, folder, data_dir=data_dir, devices="all")
        if failed := report.training.get("failed"):
            raise RuntimeError(str(failed))

    return train_loop


def _introduce() -> None:
    """Say to Keras, in the environment of this worker, which processes train together."""
    from ray import train  # pyright: ignore[reportMissingImports] - an extra
    from ray.train.collective import (  # pyright: ignore[reportMissingImports]
        broadcast_from_rank_zero,
    )
    from ray.util import get_node_ip_address  # pyright: ignore[reportMissingImports]

    workers = train.get_context()
    with socket.socket() as free:
        free.bind(("", 0))
        address = f"{get_node_ip_address()}:{free.getsockname()[1]}"
    os.environ |= {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": broadcast_from_rank_zero(address),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(workers.get_world_size()),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(workers.get_world_rank()),
    }
