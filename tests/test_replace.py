"""A run that replaces another one: the old one stays whole until the new one is."""

import dataclasses
import os
import shutil

import pytest

from kcnn.pipeline import run
from kcnn.pipeline.control import add_control
from kcnn.pipeline.journal import Journal
from kcnn.pipeline.lock import lock
from kcnn.pipeline.records import begin
from kcnn.pipeline.replace import beside, find_folder, take_place
from kcnn.recipe import Model, Prune, Quantize, Train
from kcnn.report.receipts import Receipt, Report
from kcnn.run_dir import RunDir
from tests import killed
from tests.recipes import TINY

OTHER = dataclasses.replace(TINY, seed=1)
RECEIPT = Receipt("float", "model.keras", 0.9, 1.0, 0.4, 200, 9, 9, None, 0.0)
RENAMES = ((os, "rename"), (os, "replace"), (shutil, "rmtree"))


@pytest.fixture
def finished(tmp_path):
    run(TINY, "first", tmp_path / "run")
    (tmp_path / "run/notes.txt").write_text("mine")
    return RunDir(tmp_path / "run")


def test_a_run_that_fails_leaves_the_finished_one_whole(finished, tmp_path):
    before = {file.name: file.read_bytes() for file in finished.path.iterdir()}
    impossible = dataclasses.replace(
        OTHER, train=Train(epochs=2, optimizer="sgd", learning_rate=1e38)
    )
    with pytest.raises(RuntimeError, match="diverged"):
        run(impossible, "second", finished.path, overwrite=True)
    assert Journal.read(RunDir(beside(finished.path))).stop_reason == "diverged"
    assert {file.name: file.read_bytes() for file in finished.path.iterdir()} == before
    report = run(OTHER, "third", finished.path, overwrite=True)
    assert report.seed == 1
    assert (finished.path / "notes.txt").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run"]
    assert sorted(each.name for each in finished.path.iterdir()) == sorted(before)


def test_a_run_that_explodes_without_a_nan_ends_as_diverged(tmp_path):
    exploding = dataclasses.replace(
        TINY,
        model=Model(name="lenet5"),
        train=Train(epochs=2, optimizer="sgd", learning_rate=1e5, schedule="constant"),
        quantize=Quantize(samples=10),
    )
    for _ in range(2):  # the same command says the same
        with pytest.raises(RuntimeError, match=r"loss became \S+ in epoch \d: training diverged"):
            run(exploding, "exploding", tmp_path / "run")
        folder = RunDir(tmp_path / "run")
        assert Journal.read(folder).stop_reason == "diverged"
        assert not folder.report.exists() and not list(folder.path.glob("*.tflite"))


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


def test_a_run_behind_a_link_is_replaced_where_it_lies(tmp_path):
    real, link = tmp_path / "disk/run", tmp_path / "run"
    real.mkdir(parents=True)
    link.symlink_to(real, target_is_directory=True)
    for name in ("recipe.json", "report.json", "notes.txt"):
        (real / name).write_text("old")
    work, _ = find_folder(OTHER, RunDir(link), overwrite=True, resume=False)
    assert work.path == tmp_path / "disk/.run.new"
    work.path.mkdir()
    (work.path / "report.json").write_text("new")
    take_place(work, RunDir(link), ())
    assert link.is_symlink() and (link / "report.json").read_text() == "new"
    assert (real / "notes.txt").read_text() == "old"
    assert [each.name for each in real.parent.iterdir()] == ["run"]


def test_an_exchange_that_goes_on_is_left_alone(tmp_path):
    """A second process that comes between the two renames of the first, which is alive."""
    target = RunDir(tmp_path / "run")
    with lock(tmp_path / ".run.old"), pytest.raises(ValueError, match="Another run is writing"):
        find_folder(OTHER, target, overwrite=True, resume=False)
    assert [each.name for each in tmp_path.iterdir()] == [".run.old"]


def test_a_kill_after_the_two_renames_loses_none_of_the_users_files(finished, tmp_path):
    old = tmp_path / ".run.old"
    old.mkdir()
    for name in ("report.json", "model.keras", "more.txt"):
        (old / name).write_text("old")
    find_folder(OTHER, finished, overwrite=True, resume=False)
    assert (finished.path / "more.txt").read_text() == "old"
    assert (finished.path / "report.json").read_text() != "old"
    assert not old.exists()


def test_a_stage_that_diverges_costs_its_own_variants_only(tmp_path, caplog):
    folder = tmp_path / "run"
    complete(RunDir(folder), TINY, seed=0, replaces=False).finish()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    pruned = dataclasses.replace(
        TINY,
        model=Model(name="lenet5", options={"variant": "modern"}),
        prune=Prune(sparsities=(0.5,), epochs=1, learning_rate=1e30),
        quantize=Quantize(samples=10),
    )
    report = run(pruned, "pruned", folder, overwrite=True)
    assert [receipt.name for receipt in report.receipts] == ["float", "int8"]
    assert str(report.training["failed"]).startswith("prune: The loss became nan")
    # The finished run is whole, and the same command continues beside it.
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert f"the earlier run stays in {folder}, this one is in" in caplog.text
    work, begun = find_folder(pruned, RunDir(folder), overwrite=True, resume=False)
    assert (work.path, begun.model) == (beside(folder), pruned.model)
    assert Journal.read(work).facts("train")["stop_reason"] == report.training["stop_reason"]
    assert (work.path / "report.html").is_file()


def test_a_control_that_diverges_costs_itself_only(tmp_path):
    journal = begin(RunDir(tmp_path / "run"), TINY, ["a"], deterministic=False)
    report = Report("run", "mlp", 9, "digits", 60, (RECEIPT,), {"failed": "prune: why"}, 1)
    diverging = dataclasses.replace(
        TINY, train=Train(epochs=2, optimizer="sgd", learning_rate=1e38)
    )
    found = add_control(report, diverging, None, journal)
    assert str(found.training["failed"]).startswith("prune: why; control: loss became")
    assert found.receipts == report.receipts
    assert not journal.run_dir.control.exists()


def complete(run_dir, recipe, *, seed, replaces):
    """Make the folder of a run whose last step is done."""
    journal = begin(run_dir, recipe, ["a", "b"], deterministic=False)
    report = Report("first", "mlp", 9, "digits", 60, (RECEIPT,), {"epochs": 1}, seed)
    report.save(run_dir.report)
    run_dir.best.parent.mkdir()
    run_dir.best.write_bytes(b"best")
    journal.record("report", [run_dir.report, run_dir.best])
    journal.note_complete(replaces=replaces)
    return journal


def test_a_kill_at_the_end_of_a_run_costs_no_second_training(tmp_path, monkeypatch):
    """Whether it replaces another one or not, the same command ends it; nothing is left over."""
    for overwrite in (False, True):
        for moment in range(20):
            folder = tmp_path / f"{overwrite}{moment}" / "run"
            if overwrite:
                complete(RunDir(folder), TINY, seed=0, replaces=False).finish()
                (folder / "notes.txt").write_text("mine")
            work = RunDir(beside(folder) if overwrite else folder)
            complete(work, OTHER, seed=7, replaces=overwrite)
            killed.kill_after(moment, monkeypatch, *RENAMES)
            try:
                run(OTHER, "again", folder, overwrite=overwrite)
                break
            except killed.Killed:
                monkeypatch.undo()
                assert run(OTHER, "again", folder, overwrite=overwrite).seed == 7
            finally:
                monkeypatch.undo()
            assert Journal.read(RunDir(folder)).finished
            assert not (folder / "checkpoints").exists()
            assert (folder / "notes.txt").exists() == overwrite
            assert [each.name for each in folder.parent.iterdir()] == ["run"]
        assert moment > (3 if overwrite else 0)


def test_a_file_that_was_damaged_after_the_end_is_not_passed_over(tmp_path):
    journal = complete(RunDir(tmp_path), TINY, seed=0, replaces=False)
    assert Journal.read(RunDir(tmp_path)).is_complete()
    journal.run_dir.best.unlink()  # kept only to go on with
    assert Journal.read(RunDir(tmp_path)).is_complete()
    journal.run_dir.report.write_text("{}")
    assert not Journal.read(RunDir(tmp_path)).is_complete()
