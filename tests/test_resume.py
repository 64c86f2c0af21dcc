"""A run that was stopped, at whatever moment, goes on and ends where it would have ended."""

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcnn import models
from kcnn.cli.run import how_to_go_on
from kcnn.pipeline import run
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.records import begin
from kcnn.pipeline.trained import warn_of_lost_state
from kcnn.pipeline.unfinished import find_unfinished
from kcnn.recipe import Prune, from_json, override, to_json
from kcnn.run_dir import RunDir
from kcnn.training import Checkpoints
from tests import killed
from tests.command import started

KCNN = Path(sys.executable).with_name("kcnn")

# A program that becomes another one, which ignores SIGHUP; SIGINT is ignored where the tests
# themselves run behind a "&".
UNDER_NOHUP = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
EPOCHS = 16
TEMPORARY = ".*-????????.*"

MOMENTS = {
    "tensorflow": [
        "half last.state 2",  # in a save, while the new head trains
        "step 1 3",
        "whole history.csv 1",  # at an epoch's end
        "whole model.keras 1",  # trained, but not recorded
        "half model_pruned_int8.tflite 1",  # in a later stage
        "whole report.json 1",  # after the score
        "whole report.json 2",  # after the control
    ],
    "jax": ["step 1 2", "whole run.json 2"],
}
# Each costs a process that imports TensorFlow.
IN_CI = {
    "tensorflow": [MOMENTS["tensorflow"][place] for place in (0, 4, 5, 6)],
    "jax": MOMENTS["jax"][:1],
}
# What is damaged after that moment, and the step that is done again for it.
DAMAGED = {
    "whole report.json 1": ("model_int8.tflite", "quantize"),
    "whole run.json 2": ("model.keras", "train"),
}


def process(backend, *arguments):
    # Each process compiles for itself, as those of a user who has no cache for JAX.
    environment = os.environ | {"KERAS_BACKEND": backend, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, "-m", "tests.killed", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("backend", IN_CI)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(backend, tmp_path):
    check_kills(backend, IN_CI[backend], tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("backend", MOMENTS)
def test_a_run_that_was_killed_at_every_moment_ends_as_if_it_had_not_been(backend, tmp_path):
    check_kills(backend, MOMENTS[backend], tmp_path)


def check_kills(backend, moments, tmp_path):
    """Kill a run at these moments, one after the other, and compare its end with a whole one."""
    killed.network().save(tmp_path / "base.keras")
    on_jax = backend == "jax"
    recipe, control = killed.small(), ""
    if not on_jax:
        recipe, control = killed.full(tmp_path / "base.keras"), "control"
    (tmp_path / "recipe.json").write_text(to_json(recipe))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    code, log = process(backend, tmp_path / "recipe.json", whole, "", control)
    assert code == 0, log[-3000:]
    after, before, damaged = {}, None, None
    for moment in (*moments, ""):
        code, log = process(backend, tmp_path / "recipe.json", stopped, moment, control)
        assert code == (-signal.SIGKILL if moment else 0), (moment, log[-3000:])
        assert Journal.read(RunDir(stopped)).finished == (not moment)
        after[before], before = log, moment
        if moment == "half last.state 2":  # the one before is of the head's first steps
            state = Checkpoints(RunDir(stopped).state / "head").load()
            assert (state.epoch, state.step) == (0, 2)
        if damaged:
            file, step = damaged
            assert f"{file} is changed: {step!r} and what follows are done again" in log
            assert "scoring model.keras" in log
        if damaged := DAMAGED.get(moment):
            file = stopped / damaged[0]
            file.write_bytes(file.read_bytes()[:-9])
    check_files(whole, stopped)
    check_reports(whole, stopped, receipts=1 if on_jax else 6)
    assert "going on with the run of" in after[moments[-1]]
    if on_jax:
        return
    log = after["half model_pruned_int8.tflite 1"]  # what is done is not done again
    assert "train: done already" in log and "prune: done already" in log
    assert "pruning to" not in log
    assert "score float: done already" in after["whole report.json 2"]


def check_files(whole, stopped):
    assert sorted(os.listdir(stopped)) == sorted(os.listdir(whole))
    assert not list(stopped.rglob(TEMPORARY))
    assert not (stopped / "checkpoints").exists()
    for file in whole.glob("*.keras"):
        theirs = models.load(stopped / file.name).get_weights()
        for one, other in zip(models.load(file).get_weights(), theirs, strict=True):
            np.testing.assert_array_equal(one, other, file.name)
    equal = ["history.csv", "recipe.json", "labels.txt", "analysis.json"]
    for name in (*equal, *(file.name for file in whole.glob("*.tflite"))):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name


def check_reports(whole, stopped, receipts):
    one, other = (json.loads((each / "report.json").read_text()) for each in (whole, stopped))
    assert len(one["receipts"]) == receipts
    for first, second in zip(one["receipts"], other["receipts"], strict=True):
        assert {key for key in first if first[key] != second[key]} <= {
            *("ms_per_image", "ms_two_threads"),
            *(key for key in first if "bytes" in key),  # zip files with other times in them
        }
    assert one["training"].pop("seconds") > 0
    assert other["training"].pop("seconds") > 0
    assert one["training"] == other["training"]
    assert one["training"]["deterministic"] == "yes"


def test_a_signal_stops_the_command_in_one_line_and_the_same_command_goes_on(tmp_path):
    folder = tmp_path / "run"
    settings = [f"train.epochs={EPOCHS}", "train.schedule=constant"]
    recipe = override(killed.small(), settings)
    (tmp_path / "mine.py").write_text(
        f"from kcnn.recipe import from_json\n\nrecipe = from_json({to_json(recipe)!r})\n"
    )

    def refuse_a_second():
        with pytest.raises(ValueError, match="Another run is writing into"):
            run(recipe, "second", folder)
        with pytest.raises(ValueError, match="Another run is writing into"):
            run(recipe, "second", folder, overwrite=True)

    for number, line in ((signal.SIGINT, "epoch 3/"), (signal.SIGTERM, "epoch 9/")):
        code, output = command(tmp_path, number, line, meanwhile=refuse_a_second)
        assert code == 128 + number
        assert output.endswith(
            f"\nStopped. What is done is kept in {folder}/: the same command goes on from there.\n"
        )
        assert "Traceback" not in output
        assert not list(folder.rglob(TEMPORARY))
        assert len(rows(folder)) < EPOCHS
        assert Journal.read(RunDir(folder)).stop_reason == "interrupted"
    refuse_to_go_on(recipe, folder)
    code, output = command(tmp_path)
    assert code == 0, output
    assert "epoch 3/" not in output
    assert [int(row["epoch"]) for row in rows(folder)] == list(range(EPOCHS))
    assert not (folder / "checkpoints").exists()
    assert Journal.read(RunDir(folder)).finished
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ValueError, match="holds a finished run: there is nothing to go on with"):
        run(recipe, "again", folder, resume=True)
    with pytest.raises(ValueError, match="holds a run already: pass --overwrite"):
        run(recipe, "again", folder)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def command(folder, number=None, line="", meanwhile=None):
    """Run the recipe in a folder; after a line of its output, send a signal."""
    arguments = ["run", "mine.py", "--out", folder / "run"]
    with started(
        [sys.executable, "-c", UNDER_NOHUP, KCNN, *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    ) as running:
        output = ""
        for text in running.stdout:
            output += text
            if line and text.startswith(line):
                running.send_signal(signal.SIGSTOP)
                meanwhile()
                running.send_signal(signal.SIGHUP)  # which nohup ignores
                running.send_signal(number)
                running.send_signal(signal.SIGCONT)
    return running.returncode, output


def rows(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def refuse_to_go_on(recipe, folder):
    """Refuse what is not the unfinished run in a folder, by name, and change nothing in it."""
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    slower = override(recipe, ["train.learning_rate=0.001"])
    for options in ({}, {"resume": True}):
        with pytest.raises(ValueError, match=r"with train.learning_rate=0.003.*Received: .*=0.001"):
            run(slower, "other", folder, **options)
    with pytest.raises(ValueError, match="begun without --deterministic"):
        run(recipe, "other", folder, deterministic=True)
    with pytest.raises(ValueError, match="--resume goes on .* --overwrite begins again"):
        run(recipe, "other", folder, resume=True, overwrite=True)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_there_is_nothing_to_go_on_with(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="holds no run: there is nothing to go on with"):
            run(killed.small(), "none", folder, resume=True)
    assert not (tmp_path / "absent").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file; a run needs a folder"):
        run(killed.small(), "none", tmp_path / "file")


def test_the_line_at_the_end_names_the_command_that_goes_on(tmp_path):
    folder = tmp_path / "run"
    assert how_to_go_on(folder, overwrite=False) == ""
    folder.mkdir()
    assert how_to_go_on(folder, overwrite=False) == ""  # the lock alone made it
    journal = begin(RunDir(folder), killed.small(), ["a"], deterministic=False)
    assert f"{folder}/: the same command goes on" in how_to_go_on(folder, overwrite=False)
    assert "command without --overwrite goes on" in how_to_go_on(folder, overwrite=True)
    untouched = f" The earlier run in {folder}/ is untouched."
    assert how_to_go_on(folder, overwrite=True, earlier=True) == untouched
    journal.note_complete(replaces=True)  # it is in the earlier one's place already
    line = how_to_go_on(folder, overwrite=True, earlier=True)
    assert f"{folder}/: the same command goes on" in line
    journal.finish()
    assert how_to_go_on(folder, overwrite=True, earlier=True) == untouched
    (tmp_path / ".run.new").mkdir()
    assert how_to_go_on(folder, overwrite=True, earlier=True) == ""
    (tmp_path / ".run.new/run.json").write_text("{}")
    line = how_to_go_on(folder, overwrite=True, earlier=True)
    assert "/.run.new/: the same command goes on" in line


def test_an_unfinished_run_without_its_recipe_is_refused_and_stays_whole(tmp_path):
    recipe, run_dir = killed.small(), RunDir(tmp_path)

    def refuse(**options):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match=r"recipe.json' is missing.* or pass --overwrite"):
            run(recipe, "lost", tmp_path, **options)
        assert sorted(tmp_path.rglob("*")) == before

    journal = begin(run_dir, recipe, ["a"], deterministic=False)
    run_dir.recipe.unlink()
    assert find_unfinished(recipe, run_dir) is None  # nothing is lost yet
    refuse(resume=True)
    run_dir.state.mkdir(parents=True)
    (run_dir.state / "last.state").write_bytes(b"state")
    refuse()
    shutil.rmtree(run_dir.best.parent)
    journal.record("train", [])
    refuse()
    assert find_unfinished(recipe, run_dir, overwrite=True) is None


def test_a_training_whose_state_is_gone_says_that_it_starts_again(tmp_path, caplog):
    run_dir = RunDir(tmp_path)
    journal = begin(run_dir, killed.small(), ["a"], deterministic=False)
    warn_of_lost_state(journal)
    assert "no state" not in caplog.text
    run_dir.history.write_text("epoch,loss\n0,1.0\n")
    warn_of_lost_state(journal)
    assert "has no state of the training, though history.csv is there" in caplog.text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"finished": true}', '{"steps": [], "begun": "x"}', "\0"]
)
def test_a_damaged_journal_is_refused_and_can_be_overwritten(text, tmp_path):
    run_dir = RunDir(tmp_path)
    begin(run_dir, killed.small(), ["a", "b"], deterministic=False)
    run_dir.journal.write_text(text)
    with pytest.raises(ValueError, match=r"run.json' is damaged: pass --overwrite to begin again"):
        run(killed.small(), "damaged", tmp_path)
    assert find_unfinished(killed.small(), run_dir, overwrite=True) is None


def test_an_unfinished_run_with_a_damaged_recipe_is_refused_with_what_to_do(tmp_path):
    run_dir = RunDir(tmp_path)
    begin(run_dir, killed.small(), ["a", "b"], deterministic=False)
    run_dir.recipe.write_text("{")
    with pytest.raises(ValueError, match=r"recipe\.json' cannot be read: .* pass --overwrite to"):
        find_unfinished(killed.small(), run_dir)


def test_a_run_that_was_killed_while_it_replaced_another_can_begin_again(tmp_path, monkeypatch):
    """Wherever it stopped, the folder is that of a run, with the class names if it goes on."""
    earlier = dataclasses.replace(killed.small(), prune=Prune())
    for moment in range(20):
        run_dir = RunDir(tmp_path / str(moment))
        begin(run_dir, earlier, ["a", "b"], deterministic=False).finish()
        for name in ("model.keras", "model_pruned.keras", "report.json"):
            (run_dir.path / name).write_text("")
        killed.kill_after(moment, monkeypatch, (os, "replace"), (Path, "unlink"))
        try:
            begin(run_dir, killed.small(), ["c", "d"], deterministic=False)
            break
        except killed.Killed:
            pass
        finally:
            monkeypatch.undo()
        assert find_unfinished(killed.small(), run_dir, overwrite=True) is None
        try:
            found = find_unfinished(killed.small(), run_dir)
        except ValueError as error:
            assert "prune" in str(error) or "holds a run already" in str(error)  # noqa: PT017
        else:
            assert found is None or run_dir.class_names() == ("c", "d")
    assert 5 < moment < 19
    assert from_json(run_dir.recipe.read_text()) == killed.small().resolved()
    assert not (run_dir.path / "model_pruned.keras").exists()


def test_after_the_first_step_that_is_not_done_all_have_to_be_done(tmp_path):
    run_dir = RunDir(tmp_path)
    journal = begin(run_dir, killed.small(), ["a"], deterministic=False)
    for name in "abc":
        (tmp_path / name).write_text(name)
        assert journal.facts(name) is None
        journal.record(name, [tmp_path / name], value=name)
    again = Journal.read(run_dir)
    assert again.facts("a") == {"value": "a"}
    (tmp_path / "b").unlink()
    assert again.facts("b") is None
    assert again.facts("c") is None
    again.record("b", [tmp_path / "a"])
    assert set(Journal.read(run_dir).earlier) == {"a", "b"}


def test_a_step_whose_file_has_changed_has_to_be_done_again(tmp_path, caplog):
    journal = begin(RunDir(tmp_path), killed.small(), ["a"], deterministic=False)
    (tmp_path / "model.keras").write_bytes(b"weights")
    journal.record("train", [tmp_path / "model.keras"])
    assert Journal.read(RunDir(tmp_path)).facts("train") == {}
    (tmp_path / "model.keras").write_bytes(b"weighta")
    assert Journal.read(RunDir(tmp_path)).facts("train") is None
    assert "model.keras is changed: 'train' and what follows are done again" in caplog.text


def test_a_run_whose_folder_is_gone_writes_no_other_one(tmp_path):
    journal = begin(RunDir(tmp_path / "run"), killed.small(), ["a"], deterministic=False)
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run/checkpoints/state").mkdir(parents=True)  # as a saved state makes it again
    for write in (journal.finish, lambda: journal.record("train", [])):
        with pytest.raises(RuntimeError, match=r"run\.json' has vanished"):
            write()
    assert not (tmp_path / "run").exists()
