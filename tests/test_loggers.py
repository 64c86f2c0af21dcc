"""Trackers of experiments: one run a training, also where it was stopped, and clear refusals."""

import dataclasses
import json
import sys
from pathlib import Path

import keras
import pytest

from kcnn.callbacks import loggers
from kcnn.callbacks.loggers import track
from kcnn.pipeline import run, smoke
from kcnn.recipe import Data, Recipe, Train

STUBS = Path(__file__).parent / "stubs" / "trackers"


def recipe(*names, **train):
    whole = Recipe(
        data=Data(name="digits"), train=Train(loggers=names, **train), prune=None, explain=None
    )
    return dataclasses.replace(smoke(whole), quantize=None)


@pytest.fixture
def mlflow(monkeypatch, tmp_path):
    """A stand-in for MLflow, and the folder of its runs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(STUBS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "tracked"))
    (tmp_path / "tracked").mkdir()
    yield tmp_path / "tracked"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        del sys.modules[name]


def test_a_run_is_tracked_and_leaves_nothing_behind(mlflow, tmp_path):
    run(recipe("mlflow"), "mine", tmp_path / "my run")
    (file,) = mlflow.iterdir()
    tracked = json.loads(file.read_text())
    assert (tracked["name"], tracked["status"]) == ("my run", "FINISHED")
    logged = ["accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"]
    assert tracked["epochs"] == [[0, *logged]]
    assert not (tmp_path / "my run" / "checkpoints").exists()
    assert json.loads((tmp_path / "my run/recipe.json").read_text())["train"]["loggers"] == [
        "mlflow"
    ]


def test_a_training_that_was_stopped_goes_on_in_its_run(mlflow, tmp_path):
    for stopped in (True, False):
        try:
            with track(["mlflow"], tmp_path / "run") as (callback,):
                assert isinstance(callback, keras.callbacks.Callback)
                callback.on_epoch_end(1 - stopped, {"loss": 1.0})
                if stopped:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            (file,) = mlflow.iterdir()
            assert json.loads(file.read_text())["status"] == "FAILED"
    (file,) = mlflow.iterdir()
    assert json.loads(file.read_text()) == {
        "name": "run",
        "epochs": [[0, "loss"], [1, "loss"]],
        "status": "FINISHED",
    }


def test_a_tracker_that_does_not_answer_is_named(mlflow, tmp_path):
    mlflow.rmdir()
    with pytest.raises(RuntimeError, match="mlflow cannot begin a run: no server"):
        run(recipe("mlflow"), "mine", tmp_path / "run")


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_refused_first(name, monkeypatch, tmp_path):
    monkeypatch.setattr(loggers, "find_spec", lambda module: None)
    with pytest.raises(RuntimeError, match=rf"pip install 'kcnn\[{name}\]'"):
        run(recipe(name), "mine", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused():
    with pytest.raises(ValueError, match="mlflow"):
        Train(loggers=("neptune",))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
def test_mlflow_itself(monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/tracked.db")
    monkeypatch.chdir(tmp_path)
    run(recipe("mlflow"), "mine", tmp_path / "run")
    (found,) = mlflow.search_runs(output_format="list")
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert 0 <= found.data.metrics["val_accuracy"] <= 1


def test_weights_and_biases_itself(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run(recipe("wandb"), "mine", tmp_path / "run")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
