"""A finished run's files are used only as the run wrote them."""

import json

import keras
import pytest

from kcnn import models
from kcnn.cli.commands import evaluate, inspect
from kcnn.cli.shared import labels_of, model_file, recipe_of
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.setup import pretrained
from kcnn.pipeline.several_processes import Helpers
from kcnn.pipeline.trained import train_once
from kcnn.prediction.classes import open_classifier
from kcnn.recipe import Recipe
from kcnn.report.run_files import read_run
from kcnn.run_digests import write_digest
from kcnn.run_dir import RunDir


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path)
    run.model.write_bytes(b"weights")
    run.labels.write_text("cat\ndog\n")
    journal = Journal(run)
    journal.save()
    journal.record("train", [run.model])
    return run


def test_a_file_that_changed_after_the_run_is_refused_by_name(run):
    run.labels.write_text("cow\ndog\n")
    assert labels_of(model_file(run.path)) == ["cow", "dog"]  # the run is not finished
    journal = Journal.read(run)
    journal.finish()
    assert labels_of(model_file(run.path)) == ["cow", "dog"]
    run.labels.write_text("cat\ndog\n")
    with pytest.raises(ValueError, match=r"labels.txt' has changed since the run wrote it"):
        labels_of(run.model)
    run.model.write_bytes(b"weightr")
    with pytest.raises(ValueError, match=r"model.keras' has changed .* remove run.json to use it"):
        model_file(run.path)
    run.journal.unlink()
    assert labels_of(model_file(run.path)) == ["cat", "dog"]


def test_a_journal_that_changed_is_refused_and_one_of_an_earlier_version_is_not(run):
    values = json.loads(run.journal.read_text())
    run.journal.write_text(json.dumps(values | {"deterministic": True}))
    with pytest.raises(ValueError, match=r"run.json' is damaged"):
        Journal.read(run)
    del values["sha256"]
    run.journal.write_text(json.dumps(values))
    assert list(Journal.read(run).earlier) == ["train"]


def test_a_journal_of_another_version_is_not_called_damaged(run):
    values = json.loads(run.journal.read_text())
    del values["sha256"]
    run.journal.write_text(write_digest(values | {"more": 1}))
    for read in (lambda: Journal.read(run), lambda: model_file(run.path)):
        with pytest.raises(ValueError, match=r"run.json' is of another version of kcnn: pass"):
            read()


def test_facts_that_this_version_does_not_know_are_of_another_version(run):
    models.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), run.model)
    facts = {"history": {"loss": [1.0]}, "best_epoch": 1, "seconds": 2.0, "stop_reason": "epochs"}
    for more in ({"more": 1}, {"rollbacks": [{"more": 1}]}):
        Journal.read(run).record("train", [run.model], **facts, **more)
        with pytest.raises(ValueError, match=r"run.json' is of another version of kcnn: pass"):
            train_once(None, Recipe(), Journal.read(run), Helpers(0))
    Journal.read(run).record("train", [run.model], **facts)
    assert train_once(None, Recipe(), Journal.read(run), Helpers(0)).best_epoch == 1


def test_a_file_of_an_unfinished_run_that_changed_is_refused_too(run):
    assert model_file(run.path) == run.model
    run.model.write_bytes(b"weightr")
    with pytest.raises(ValueError, match=r"model.keras' has changed .*: continue the run, which"):
        model_file(run.path)


def test_each_command_and_function_refuses_the_changed_files_that_it_reads(run):
    report, int8 = run.report, run.path / "model_pruned_int8.tflite"
    for file in (run.recipe, report, int8):
        file.write_text("{}")
    journal = Journal.read(run)
    journal.record("prune", [int8])
    journal.finish()
    readers = {
        run.recipe: [lambda: recipe_of(run.model), lambda: read_run(run.path)],
        report: [lambda: inspect(run.path), lambda: read_run(run.path)],
        run.labels: [lambda: read_run(run.path), lambda: open_classifier(run.model)],
        run.model: [
            lambda: model_file(run.model),
            lambda: open_classifier(run.model),
            lambda: pretrained(str(run.path), purpose="base"),
            lambda: inspect(run.model),
        ],
        int8: [lambda: evaluate(int8), lambda: open_classifier(int8), lambda: inspect(int8)],
    }
    for file, reads in readers.items():
        before = file.read_bytes()
        file.write_bytes(before + b" ")
        for read in reads:
            with pytest.raises(ValueError, match=rf"{file.name}' has changed since the run wrote"):
                read()
        file.write_bytes(before)


@pytest.mark.parametrize(
    "change",
    [{"steps": None}, {"steps": {"train": {"files": ["model.keras"], "facts": {}}}}, {"more": 1}],
)
def test_a_file_of_that_name_that_is_no_journal_is_refused_by_whoever_reads_it(run, change):
    values = json.loads(run.journal.read_text()) | {"finished": True}
    del values["sha256"]
    run.journal.write_text(json.dumps(values | change))
    for read in (lambda: Journal.read(run), lambda: model_file(run.path)):
        with pytest.raises(ValueError, match=r"run.json' is damaged: .*or remove it to use"):
            read()
    run.journal.write_text(json.dumps(values))
    assert Journal.read(run).finished
