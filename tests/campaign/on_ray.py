"""A local Ray of two workers: a sweep under Ray Tune, and one training under Ray Train.

    pytest -n 0 -o faulthandler_timeout=0 tests/campaign/on_ray.py

It takes minutes on two cores, and Ray is no part of the tests' requirements: pip install
'kcnn[ray]'. Ray runs in processes of its own (`python -m tests.campaign.on_ray tune FOLDER`).
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.campaign.scaling import history
from tests.test_devices import end, process

SETTINGS = {"name": "digits", "limit": 200, "batch_size": 24, "augment": "none"}


def recipe(epochs=2):
    from kcnn.recipe import Data, Model, Recipe, Train

    return Recipe(
        data=Data(**SETTINGS, validation=0.2),
        model=Model(name="lenet5", options={"variant": "modern"}),
        train=Train(epochs=epochs, learning_rate=1e-3),
        prune=None,
        quantize=None,
        explain=None,
    )


def sweep():
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    from kcnn.sweep import Sweep

    space = {
        "train.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "train.optimizer": CategoricalDistribution(["adam", "sgd"]),
    }
    return Sweep(recipe=recipe(), space=space)


def tune(folder):
    """Let Ray Tune do three trials, two at a time."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    from kcnn.tune import ray_objective

    search = OptunaSearch(dict(sweep().space), metric="accuracy", mode="max", seed=0)
    tuner = tune.Tuner(
        tune.with_resources(ray_objective(sweep(), folder / "runs"), {"cpu": 1}),
        tune_config=tune.TuneConfig(num_samples=3, search_alg=search),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0),
    )
    found = tuner.fit()
    assert not found.errors, found.errors
    return [
        {"config": each.config, "metrics": {"accuracy": each.metrics["accuracy"]}} for each in found
    ]


def train(folder):
    """Let Ray Train make two workers train one network."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from kcnn.tune import ray_training

    trainer = DataParallelTrainer(
        ray_training(recipe(), "together", folder / "together"),
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(storage_path=str(folder / "ray")),
    )
    trainer.fit()


def on_local_ray(what, tmp_path, backend):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'kcnn[ray]'")
    end(process(["-m", "tests.campaign.on_ray", what, str(tmp_path)], backend=backend))
    return json.loads((tmp_path / "found.json").read_text())


def test_a_sweep_under_ray_tune_makes_the_runs_of_its_recipes(tmp_path):
    """Each trial is a run, whose accuracy is that of the same recipe without Ray."""
    from kcnn.tune import Goal, run_trial
    from kcnn.tune.space import for_goal, recipe_for

    found = on_local_ray("tune", tmp_path, "tensorflow")
    assert len(found) == 3 == len(list((tmp_path / "runs").glob("trial-*/report.html")))
    assert len({each["config"]["train.learning_rate"] for each in found}) == 3
    alone = recipe_for(for_goal(sweep(), Goal()), found[0]["config"])
    result = run_trial(alone, Goal(), "alone", tmp_path / "alone")
    assert result.accuracy == pytest.approx(found[0]["metrics"]["accuracy"], abs=1e-6)


def test_two_workers_of_ray_train_make_one_run(tmp_path):
    """The losses are those of one process alone."""
    pytest.importorskip("jax")
    on_local_ray("train", tmp_path, "jax")
    program = (
        "from kcnn.pipeline import run; from tests.campaign.on_ray import recipe; "
        f"run(recipe(), 'alone', {str(tmp_path / 'alone')!r})"
    )
    end(process(["-c", program], backend="jax"))
    one, other = (history(tmp_path / name / "history.csv") for name in ("together", "alone"))
    assert len(one) == 2
    for mine, theirs in zip(one, other, strict=True):
        assert mine == pytest.approx(theirs, rel=2e-3, abs=1e-3)
    assert (tmp_path / "together" / "report.html").is_file()


if __name__ == "__main__":
    import ray

    ray.init(num_cpus=2, include_dashboard=False)
    place = Path(sys.argv[2])
    done = {"tune": tune, "train": train}[sys.argv[1]](place)
    (place / "found.json").write_text(json.dumps(done))
