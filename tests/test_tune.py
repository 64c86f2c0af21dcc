"""Sweeps: the space and its errors, trials, pruning, studies that are continued and shared."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from kcnn import recipe_files
from kcnn.recipe import Data, Model, Quantize, Recipe, Train
from kcnn.report.study_report import StudyReport, Trial, load
from kcnn.run_digests import read_journal
from kcnn.run_dir import RunDir
from kcnn.sweep import Sweep
from kcnn.tune import Goal, search
from kcnn.tune.processes import run_workers
from kcnn.tune.space import check_space, for_goal, recipe_for
from kcnn.tune.storage import open_storage
from kcnn.tune.study import open_study, sampler_for
from kcnn.tune.study_search import open_search
from kcnn.tune.trials import DEATHS, Place, Watch, counts, release, take_up_dead
from kcnn.tune.worker import Worker
from tests.command import run_command

RATES = {"train.learning_rate": FloatDistribution(1e-3, 1e-1, log=True)}


def small(**train):
    """Return the recipe of a training of seconds."""
    return Recipe(
        data=Data(name="digits", limit=150, validation=0.2, batch_size=24, augment="none"),
        model=Model(name="lenet5", options={"variant": "modern"}),
        train=Train(**{"epochs": 1} | train),
        prune=None,
        quantize=None,
        explain=None,
    )


def sweep_over(space, recipe=None):
    return Sweep(recipe=recipe or small(), space=space)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "nothing to search: pass --seeds"),
        ({"train.epocs": IntDistribution(1, 3)}, "Did you mean 'train.epochs'"),
        ({"train.epochs": FloatDistribution(1, 3)}, "train.epochs must be an integer"),
        ({"train.epochs": IntDistribution(0, 3)}, "train.epochs must be at least 1. Received: 0"),
        ({"train.label_smoothing": FloatDistribution(0, 1.5)}, "must be below 1. Received: 1.5"),
        ({"train.optimizer": CategoricalDistribution(["adam", "adamm"])}, "Received: 'adamm'"),
        ({"train.momentum": FloatDistribution(0, 0.9)}, "momentum"),
        ({"train.epochs": 3}, "has one of optuna.distributions"),
    ],
)
def test_a_space_that_no_trial_could_use_is_refused_before_the_first(space, said):
    with pytest.raises(ValueError, match=said) as caught:
        check_space(sweep_over(space))
    assert "\n" not in str(caught.value)


def test_a_choice_that_no_storage_can_keep_is_refused():
    with pytest.warns(UserWarning, match="persistent storage"):
        choices = CategoricalDistribution([("cutout",)])
    with pytest.raises(ValueError, match="numbers, text, True, False"):
        check_space(sweep_over({"data.augment": choices}))


def test_a_field_without_effect_in_one_trial_is_left_out_of_it():
    space = {
        "train.optimizer": CategoricalDistribution(["adam", "sgd"]),
        "train.momentum": FloatDistribution(0.5, 0.9),
    }
    sweep = sweep_over(space)
    check_space(sweep)
    drawn = {"train.momentum": 0.7}
    assert recipe_for(sweep, drawn | {"train.optimizer": "adam"}).train.momentum is None
    assert recipe_for(sweep, drawn | {"train.optimizer": "sgd"}).train.momentum == 0.7


def test_two_fields_that_contradict_each_other_are_found_before_the_first_trial():
    space = {"cluster.clusters": IntDistribution(2, 16), "seed": IntDistribution(0, 1)}
    recipe = Recipe(cluster={"clusters": 4})
    with pytest.raises(ValueError, match="cluster.clusters must be at least 3 with prune"):
        check_space(for_goal(sweep_over(space, recipe), Goal(max_bytes=1)))


def test_a_field_that_does_not_count_for_the_goal_is_refused():
    sweep = sweep_over({"quantize.samples": IntDistribution(10, 20)}, Recipe())
    with pytest.raises(ValueError, match="pass --max-bytes or --max-ms"):
        for_goal(sweep, Goal())
    with pytest.raises(ValueError, match="leaves the section quantize out"):
        for_goal(sweep_over(RATES), Goal(max_bytes=1000))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("trials.log", "URL of a database"),
        ("oracel://host/x", "driver that is not installed"),
        ("postgresql://me:secret@127.0.0.1:9/x", "127.0.0.1"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line_without_the_password(tmp_path, url, said):
    with pytest.raises(ValueError, match=said) as caught:
        open_storage(url, tmp_path)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_a_damaged_journal_is_one_line(tmp_path):
    (tmp_path / "trials.log").write_text("{not json}\n{}\n")
    with pytest.raises(ValueError, match=r"trials.log' is damaged"):
        open_storage(None, tmp_path)


def test_a_study_goes_on_and_seeds_give_mean_and_spread(tmp_path):
    """The second call adds a trial to that of the first; the folders are ordinary runs."""
    folder = tmp_path / "seeds"
    first = search(small(), folder, seeds=1)
    second = search(small(), folder, seeds=2)
    assert [each.values for each in second.trials] == [{"seed": 0}, {"seed": 1}]
    assert second.trials[:1] == first.trials
    assert load(folder / "study.json").trials == second.trials
    for trial in second.trials:
        assert read_journal(RunDir(folder / trial.folder))["finished"]
        recipe = json.loads((folder / trial.folder / "recipe.json").read_text())
        assert recipe["seed"] == trial.values["seed"]
        assert trial.test_accuracy is not None and trial.state == "complete"
        assert trial.folder in (folder / "study.html").read_text()
    accuracies = [each.accuracy for each in second.trials]
    mean, spread = second.mean_and_spread(test=False)
    assert mean == pytest.approx(sum(accuracies) / 2)
    assert spread == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)
    with pytest.raises(ValueError, match="another sweep: train.epochs was 1"):
        search(small(epochs=2), folder, seeds=3)


def test_trials_that_fail_are_named_and_end_the_search_after_three(tmp_path):
    space = {"data.batch_size": CategoricalDistribution([24, 4000])}
    opened = open_search(sweep_over(space), tmp_path / "failed", trials=4)
    for _ in range(3):
        opened.study.enqueue_trial({"data.batch_size": 4000})
    worker = Worker(opened.study, opened.sweep, opened.goal, opened.folder, opened.trials)
    with pytest.raises(RuntimeError, match="3 trials in a row .*batch_size=4000 is larger"):
        worker.work()
    assert {each.state for each in opened.report().trials} == {"failed"}
    assert "batch_size=4000" in opened.report().trials[0].reason


def test_workers_that_end_without_a_word_before_the_study_has_enough_are_named(tmp_path):
    opened = open_search(sweep_over(RATES), tmp_path / "study", trials=2)
    with pytest.raises(RuntimeError, match=r"ended after 0 of 2 trials: .*worker-1\.log"):
        run_workers(opened, ["--version"], 1)


def test_a_search_for_int8_files_draws_its_front_and_trains_no_network_that_is_too_large(tmp_path):
    recipe = Recipe(
        data=small().data,
        model=Model(name="resnet8"),
        train=Train(epochs=1),
        prune=None,
        quantize=Quantize(samples=10),
        explain=None,
    )
    space = {"model.options.width": CategoricalDistribution([2, 32])}
    folder = tmp_path / "int8"
    sweep = Sweep(recipe=recipe, space=space)
    opened = open_search(sweep, folder, trials=2, max_bytes=30_000)
    for width in (32, 2):
        opened.study.enqueue_trial({"model.options.width": width})
    report = search(sweep, folder, trials=2, max_bytes=30_000)
    by_width = {each.values["model.options.width"]: each for each in report.trials}
    assert by_width[32].state == "pruned" and by_width[32].bytes > 300_000
    assert by_width[32].folder == ""  # nothing was trained
    assert by_width[2].state == "complete" and by_width[2].within
    file = folder / by_width[2].folder / "model_int8.tflite"
    assert by_width[2].bytes == file.stat().st_size <= 30_000
    assert [each.bytes for each in report.front()] == [by_width[2].bytes]
    assert (folder / "study.png").is_file()
    assert "the int8 file has" in (folder / "study.html").read_text()


def test_the_front_is_what_no_other_trial_beats():
    values = [(0.9, 100), (0.8, 50), (0.85, 60), (0.85, 70), (0.7, 55), (0.9, 100), (0.95, 200)]
    trials = [
        Trial(number, "complete", {}, accuracy, size, within=size < 150)
        for number, (accuracy, size) in enumerate(values)
    ]
    report = StudyReport("x", "m", "d", {}, tuple(trials), max_bytes=150)
    assert [each.number for each in report.front()] == [1, 2, 0]


def test_a_bad_trial_is_ended_early(tmp_path):
    """The trials before it were perfect from the second epoch on."""
    opened = open_search(sweep_over(RATES, small(epochs=9)), tmp_path / "pruned", trials=6)
    for _ in range(5):
        perfect = optuna.trial.create_trial(
            params={"train.learning_rate": 1e-2},
            distributions=RATES,
            value=1.0,
            intermediate_values=dict.fromkeys(range(9), 1.0),
        )
        opened.study.add_trial(perfect)
    Worker(opened.study, opened.sweep, opened.goal, opened.folder, opened.trials).work()
    bad = opened.report().trials[-1]
    assert bad.state == "pruned" and bad.epochs < 9 and "median" in bad.reason
    assert read_journal(RunDir(opened.folder / bad.folder))["finished"] is False


# Who does a trial: no training is needed to see that.


@pytest.fixture
def study(tmp_path):
    return open_study(sweep_over(RATES), Goal(), "x", open_storage(None, tmp_path))


def of_worker(study, pid, **attributes):
    trial = study.ask(RATES)
    for name, value in {"worker": {"host": os.uname().nodename, "pid": pid}, **attributes}.items():
        trial.set_user_attr(name, value)
    return trial


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_trial_of_a_dead_worker_is_done_again_once_and_counted_once(study, tmp_path):
    trial = of_worker(study, ended_process())
    for _ in range(3):
        take_up_dead(study, Watch(tmp_path))
    dead, again = study.trials
    assert dead.state == TrialState.FAIL and not counts(dead)
    assert again.state == TrialState.WAITING
    assert Place.of(again) == Place(number=0, attempt=2, deaths=1)
    taken = study.ask(RATES)
    assert taken.params == trial.params and taken.number == again.number
    study.tell(taken, 0.5)
    assert sum(map(counts, study.trials)) == 1
    with pytest.raises(ValueError):
        study.tell(trial, 0.7)  # it was not dead after all: its result comes too late


def test_a_trial_of_which_every_worker_dies_counts_as_failed(study, tmp_path):
    for _ in range(DEATHS):
        of_worker(study, ended_process())
        take_up_dead(study, Watch(tmp_path))
    assert [each.state for each in study.trials] == [TrialState.FAIL] * DEATHS
    assert [counts(each) for each in study.trials] == [False] * (DEATHS - 1) + [True]


def test_a_trial_that_was_left_on_request_costs_no_death(study, tmp_path):
    for _ in range(DEATHS + 2):
        release(study, study.ask(RATES))
        take_up_dead(study, Watch(tmp_path))
    assert Place.of(study.trials[-1]).deaths == 0


def test_a_worker_on_another_machine_is_dead_when_it_gives_no_sign_of_life(study, tmp_path):
    trial = of_worker(study, 1, worker={"host": "elsewhere", "pid": 1}, sign=1)
    watch = Watch(tmp_path, stale=0.05)
    assert not watch.is_dead(study.trials[0])
    trial.set_user_attr("sign", 2)
    time.sleep(0.1)
    assert not watch.is_dead(study.trials[0])
    time.sleep(0.1)
    assert watch.is_dead(study.trials[0])


def test_samplers_of_workers_that_share_a_study_draw_different_values():
    study = optuna.create_study()
    drawn = set()
    for trials, salt in ((0, 0), (1, 0), (0, 5)):
        study.sampler = sampler_for(0, trials, salt)
        drawn.add(study.ask(RATES).params["train.learning_rate"])
    assert len(drawn) == 3


def test_what_the_command_refuses_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = Path("mine.py")
    file.write_text(
        "from optuna.distributions import FloatDistribution\n"
        "from kcnn.recipe import Recipe\nfrom kcnn.sweep import Sweep\n"
        "recipe = Recipe()\n"
        "sweep = Sweep(recipe=recipe, space={'train.learning_rate': FloatDistribution(1e-3, 1)})\n"
    )
    assert isinstance(recipe_files.load("mine.py").content, Recipe)  # kcnn run takes it
    Path("only.py").write_text(
        file.read_text()
        .replace("recipe = Recipe()\n", "")
        .replace("recipe=recipe", "recipe=Recipe()")
    )
    for words, said in (
        (["tune", "quickstart"], "nothing to search"),
        (["tune", "mine.py", "--seeds", "2"], "pass a recipe"),
        (["tune", "quickstart", "--seeds", "2", "--trials", "3"], "leave --trials out"),
        (["tune", "mine.py", "--trials", "0"], "trials must be an integer of at least 1"),
        (["tune", "mine.py", "--max-bytes", "0"], "max_bytes must be an integer of at least 1"),
        (["tune", "mine.py", "--workers", "999"], "the cores of this machine"),
        (["tune", "mine.py", "--set", "train.learning_rate=1"], "is searched"),
        (["tune", "mine.py", "--storage", "nowhere"], "URL of a database"),
        (["tune", "mine.py", "--out", "."], "files that are of no study, such as 'mine.py'"),
        (["run", "only.py"], "kcnn tune only"),
        (["tune", "compare_depth"], "is a comparison"),
    ):
        assert run_command(*words) == 1, words
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1, (words, error)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine.py", "only.py"]


@pytest.mark.parametrize("name", recipe_files.sweeps())
def test_the_sweeps_of_kcnn_can_be_made(name):
    sweep = recipe_files.load(name, to_tune=True).sweep
    for goal in (Goal(), Goal(max_bytes=100_000)):
        check_space(for_goal(sweep, goal))
