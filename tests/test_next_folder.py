"""Where a run goes that names no folder."""

import dataclasses
import logging
from pathlib import Path

import pytest

from kcnn.comparison import Comparison
from kcnn.pipeline.next_folder import next_folder
from kcnn.pipeline.plan import training_only
from kcnn.pipeline.records import begin
from kcnn.pipeline.setup import pretrained
from kcnn.recipe import Recipe, Train, override
from kcnn.report.comparison_report import ComparisonReport, Outcome
from kcnn.run_dir import RunDir

RECIPE = Recipe(train=Train(epochs=7))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def started(folder, recipe=RECIPE, *, deterministic=False):
    return begin(RunDir(Path(folder)), recipe, ["a", "b"], deterministic=deterministic)


def finished(folder):
    journal = started(folder)
    journal.finished = True
    journal.save()
    return journal


def test_each_run_takes_the_next_number(caplog):
    caplog.set_level(logging.INFO, logger="kcnn")
    assert next_folder(RECIPE, "mine") == Path("runs/mine")
    finished("runs/mine")
    assert next_folder(RECIPE, "mine") == Path("runs/mine-2")
    assert "runs/mine is taken: this run goes to runs/mine-2" in caplog.text
    finished("runs/mine-2")
    finished("runs/mine-10")
    assert next_folder(RECIPE, "mine") == Path("runs/mine-11")
    assert next_folder(RECIPE, "mine", overwrite=True) == Path("runs/mine-10")
    assert next_folder(RECIPE, "mine", resume=True) == Path("runs/mine-10")
    assert next_folder(RECIPE, "other") == Path("runs/other")


def test_only_the_same_run_goes_on_and_only_in_the_newest_folder():
    started("runs/mine")
    assert next_folder(RECIPE, "mine") == Path("runs/mine")
    longer = override(RECIPE, ["train.epochs=9"])
    assert next_folder(longer, "mine") == Path("runs/mine-2")
    assert next_folder(RECIPE, "mine", deterministic=True) == Path("runs/mine-2")
    finished("runs/mine-2")
    assert next_folder(RECIPE, "mine") == Path("runs/mine-3")


def test_a_smoke_run_is_never_in_the_way():
    finished("runs/smoke/mine")
    assert next_folder(RECIPE, "mine") == Path("runs/mine")
    assert next_folder(RECIPE, "mine", smoke=True) == Path("runs/smoke/mine-2")


def test_published_results_are_not_in_the_way_and_an_earlier_versions_run_goes_on():
    finished("saved_models/mine")
    assert next_folder(RECIPE, "mine") == Path("runs/mine")
    started("saved_models/begun")
    assert next_folder(RECIPE, "begun") == Path("saved_models/begun")
    assert next_folder(RECIPE, "begun", smoke=True) == Path("runs/smoke/begun")


@pytest.mark.parametrize("what", ["files", "file", "damaged"])
def test_what_is_no_run_stays_as_it_is(what):
    folder = Path("runs/mine")
    folder.parent.mkdir()
    if what == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / ("run.json" if what == "damaged" else "notes.txt")).write_text("mine")
    assert next_folder(RECIPE, "mine") == Path("runs/mine-2")


def test_a_folder_that_was_only_locked_is_used():
    Path("runs/mine").mkdir(parents=True)
    assert next_folder(RECIPE, "mine") == Path("runs/mine")


def comparison(**changes):
    variants = {"a": RECIPE, "b": override(RECIPE, ["train.epochs=8"])}
    return dataclasses.replace(Comparison(question="Why?", variants=variants), **changes)


def report():
    """Return the results of the comparison, whose trainings have all ended."""
    outcome = {"parameters": 1, "train_images": 1, "test_images": 1, "diverged": 1}
    outcomes = tuple(Outcome(variant=name, seed=0, history={}, **outcome) for name in ("a", "b"))
    return ComparisonReport("mine", training_only(comparison()), outcomes)


def test_a_comparison_goes_on_while_trainings_are_missing():
    whole = report()
    Path("runs/mine").mkdir(parents=True)
    dataclasses.replace(whole, outcomes=whole.outcomes[:1]).save("runs/mine/results.json")
    assert next_folder(comparison(), "mine") == Path("runs/mine")
    whole.save("runs/mine/results.json")
    assert next_folder(comparison(), "mine") == Path("runs/mine-2")
    assert next_folder(comparison(seeds=(0, 1)), "mine") == Path("runs/mine")
    assert next_folder(comparison(shifts=(1,)), "mine") == Path("runs/mine-2")


def test_a_published_comparison_is_not_added_to():
    whole = report()
    Path("saved_models/mine").mkdir(parents=True)
    whole.save("saved_models/mine/results.json")
    assert next_folder(comparison(seeds=(0, 1)), "mine") == Path("runs/mine")
    dataclasses.replace(whole, outcomes=whole.outcomes[:1]).save("saved_models/mine/results.json")
    assert next_folder(comparison(), "mine") == Path("saved_models/mine")


def test_a_published_model_is_found_from_any_folder(tmp_path):
    assert pretrained("saved_models/resnet20", purpose="teacher").count_params() == 271_098
    own = tmp_path / "saved_models" / "resnet20"
    own.mkdir(parents=True)
    with pytest.raises(ValueError, match="There is no trained model 'saved_models/resnet20/model"):
        pretrained("saved_models/resnet20", purpose="teacher")  # the current folder comes first
