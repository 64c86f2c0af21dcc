"""A run that replaces another one: the old one stays whole until the new one is."""

import dataclasses
import os

import pytest

from kcnn.pipeline import run
from kcnn.pipeline.replace import find_folder, take_place
from kcnn.recipe import Data, Model, Prune, Quantize, Recipe, Train
from kcnn.run_dir import RunDir

RECIPE = Recipe(
    data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
    model=Model(name="mlp", options={"units": 8, "depth": 1}),
    train=Train(epochs=1),
    prune=None,
    quantize=None,
    explain=None,
)
OTHER = dataclasses.replace(RECIPE, seed=1)


@pytest.fixture
def finished(tmp_path):
    run(RECIPE, "first", tmp_path / "run")
    (tmp_path / "run/notes.txt").write_text("mine")
    return RunDir(tmp_path / "run")


def test_a_run_that_fails_leaves_the_finished_one_whole(finished, tmp_path):
    before = {file.name: file.read_bytes() for file in finished.path.iterdir()}
    impossible = dataclasses.replace(
        OTHER, train=Train(epochs=2, optimizer="sgd", learning_rate=1e38)
    )
    with pytest.raises(RuntimeError, match="diverged"):
        run(impossible, "second", finished.path, overwrite=True)
    assert {file.name: file.read_bytes() for file in finished.path.iterdir()} == before
    report = run(OTHER, "third", finished.path, overwrite=True)
    assert report.seed == 1
    assert (finished.path / "notes.txt").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run"]
    assert sorted(each.name for each in finished.path.iterdir()) == sorted(before)


def test_a_kill_between_the_two_renames_loses_neither(finished, tmp_path):
    beside = tmp_path / ".run.new"
    beside.mkdir()
    os.rename(finished.path, tmp_path / ".run.old")
    work, begun = find_folder(OTHER, finished, overwrite=True, resume=False)
    assert (work.path, begun) == (beside, None)
    assert (finished.path / "report.json").is_file()
    (beside / "report.json").write_text("new")
    take_place(work, finished, ())
    assert (finished.path / "report.json").read_text() == "new"
    assert not (finished.path / "model.keras").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run"]


def test_a_kill_after_the_two_renames_loses_none_of_the_users_files(finished, tmp_path):
    old = tmp_path / ".run.old"
    old.mkdir()
    for name in ("report.json", "model.keras", "more.txt"):
        (old / name).write_text("old")
    find_folder(OTHER, finished, overwrite=True, resume=False)
    assert (finished.path / "more.txt").read_text() == "old"
    assert (finished.path / "report.json").read_text() != "old"
    assert not old.exists()


def test_a_stage_that_diverges_costs_its_own_variants_only(tmp_path):
    pruned = dataclasses.replace(
        RECIPE,
        model=Model(name="lenet5", options={"variant": "modern"}),
        prune=Prune(sparsities=(0.5,), epochs=1, learning_rate=1e30),
        quantize=Quantize(samples=10),
    )
    report = run(pruned, "pruned", tmp_path / "run")
    assert [receipt.name for receipt in report.receipts] == ["float", "int8"]
    assert str(report.training["failed"]).startswith("prune: The loss became nan")
    assert (tmp_path / "run/report.html").is_file()
