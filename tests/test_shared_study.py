"""Studies of several processes: the trial of a worker that is killed."""

import os
import signal
import subprocess
import sys
import time

from kcnn.report.study_report import load
from kcnn.run_dir import RunDir

SWEEP = """
from optuna.distributions import FloatDistribution
from kcnn.recipe import Data, Model, Recipe, Train
from kcnn.sweep import Sweep

recipe = Recipe(
    data=Data(name="digits", limit=150, validation=0.2, batch_size=24, augment="none"),
    model=Model(name="lenet5", options={"variant": "modern"}),
    train=Train(epochs=EPOCHS, learning_rate=1e-3),
)
sweep = Sweep(recipe=recipe, space={"train.weight_decay": FloatDistribution(1e-5, 1e-3)})
"""


def worker(file, folder, *words):
    """Start the command."""
    command = [sys.executable, "-c", "from kcnn.cli import main; main()", "tune", file]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.Popen(
        [*map(str, command), "--out", str(folder), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(started):
    text = started.communicate(timeout=300)[0]
    assert started.returncode == 0, text[-3000:]
    return text


def written(tmp_path, epochs):
    file = tmp_path / "mine.py"
    file.write_text(SWEEP.replace("EPOCHS", str(epochs)))
    return file


def wait_for(file, process):
    for _ in range(1200):
        if file.is_file() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.poll() is None, process.stdout.read()


def test_the_trial_of_a_killed_worker_goes_on_from_its_kept_state(tmp_path):
    file, folder = written(tmp_path, 60), tmp_path / "study"
    run_dir = RunDir(folder / "trial-0000")
    first = worker(file, folder, "--trials", "1")
    wait_for(run_dir.state / "last.state", first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = run_dir.history.read_text().splitlines() if run_dir.history.is_file() else []
    assert "going on with the run" in end(worker(file, folder, "--trials", "1"))
    (trial,) = load(folder / "study.json").trials
    after = run_dir.history.read_text().splitlines()
    assert trial.state == "complete" and trial.attempts == 2
    assert trial.epochs == len(after) - 1  # each epoch has reported once, whichever process it was
    assert len(after) > len(before) and after[: len(before) - 1] == before[:-1]
