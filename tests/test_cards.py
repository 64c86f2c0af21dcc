"""Model cards, the picture of what accuracy costs, and the command that publishes a run."""

import dataclasses
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_html_report import make_report, make_run

from kcnn import models
from kcnn.intervals import wilson_interval
from kcnn.pipeline import run as run_recipe
from kcnn.recipe import Data, Model, Quantize, Recipe, Train
from kcnn.report import receipts
from kcnn.report.card import render_card, write_card
from kcnn.report.robustness import RobustnessReport, VariantRobustness, summary
from kcnn.report.run_files import read_run
from kcnn.report.run_page import write_page
from kcnn.report.tradeoff_plot import pareto_front, points_of, tradeoff_figure, tradeoff_text

ROOT = Path(__file__).parents[1]
SAVED_STUDY = ROOT / "saved_models/tune_resnet8"


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "mine")


@pytest.mark.parametrize("folder", load_script("update_cards").published_runs(), ids=str)
def test_the_cards_are_those_of_the_reports(folder):
    card = (folder / "README.md").read_text()
    assert card == render_card(read_run(folder)), "run: python docs/update_cards.py"


def test_a_card_has_the_numbers_of_the_files_beside_it(folder):
    run = read_run(folder)
    row = {"blur": (0.8, 0.7, 0.6)}
    variants = (VariantRobustness("float", 0.9, row), VariantRobustness("int8", 0.8, row))
    run = dataclasses.replace(run, robustness=RobustnessReport("cifar10", 200, 0, variants))
    card = render_card(run)
    for line in (
        "| float | 90.00% | {:.2%} to {:.2%} | `model.keras` |".format(*wilson_interval(0.9, 200)),
        "| blur | 80.0% | 70.0% | 60.0% | 80.0% | 70.0% | 60.0% |",
        f"- {summary(variants[1])}",
        "| optimizer | Adam |",
        "| seed | 0, one run |",
    ):
        assert line in card.splitlines(), line
    (worst,) = sorted(run.analysis.variants[0].classes, key=lambda each: each.recall)[:1]
    assert f"Its worst class is {worst.name.replace('<', '&lt;')}: {worst.recall:.1%}" in card
    assert "<b>" not in card and "pretrained" not in card


def test_the_card_of_an_older_run_leaves_out_what_is_not_there(folder, tmp_path):
    older = shutil.copytree(folder, tmp_path / "older")
    for name in ("recipe.json", "analysis.json", "history.csv", "grad_cam.png"):
        (older / name).unlink()
    card = write_card(older).read_text()
    assert "It was not measured." in card and "By class" not in card and "![" not in card


def test_no_point_of_the_front_is_beaten_and_every_other_one_is():
    rng = np.random.default_rng(0)
    costs, scores = rng.integers(1, 9, 60), rng.integers(1, 9, 60)
    front = pareto_front(costs.tolist(), scores.tolist())
    assert front == sorted(front, key=lambda each: costs[each])

    def beaten(index):
        no_worse = (costs <= costs[index]) & (scores >= scores[index])
        return (no_worse & ((costs < costs[index]) | (scores > scores[index]))).any()

    assert not any(map(beaten, front))
    kept = {(costs[each], scores[each]) for each in front}
    assert all(beaten(each) or (costs[each], scores[each]) in kept for each in range(60))


def test_each_processor_has_a_front_and_averaged_views_are_no_file(folder):
    other = make_report(hardware={"processor": "other", "cores": 2})
    averaged = dataclasses.replace(other.receipts[0], name="float, TTA flip")
    other = dataclasses.replace(other, receipts=(*other.receipts, averaged))
    report = receipts.load(folder / "report.json")
    assert len(points_of([report, other])) == 4
    figure = tradeoff_figure([report, other])
    bytes_of, *times = figure.axes
    processors = {each.get_xlabel().splitlines()[-1] for each in times}
    assert processors == {"other", report.hardware["processor"]}
    second = dataclasses.replace(report, recipe="second")
    _, *times = tradeoff_figure([report, second, other]).axes  # the other one compares nothing
    assert [each.get_xlabel().splitlines()[-1] for each in times] == [report.hardware["processor"]]
    assert [each.get_text() for each in bytes_of.texts] == ["1", "2"]
    assert "simple_cnn: float (1,090 kB, 90.00%)" in tradeoff_text([report])
    untimed = [dataclasses.replace(each, ms_per_image=None) for each in report.receipts]
    report = dataclasses.replace(report, receipts=tuple(untimed))
    assert len(tradeoff_figure([report]).axes) == 1
    with pytest.raises(ValueError, match="at least one run"):
        tradeoff_figure([])
    assert "What the accuracy costs" in write_page(folder).read_text()


def test_the_numbers_of_points_that_touch_share_a_text():
    def better(receipt):
        return dataclasses.replace(
            receipt, bytes=receipt.bytes + 1, accuracy=receipt.accuracy + 0.001
        )

    report = make_report()
    other = dataclasses.replace(report, receipts=tuple(map(better, report.receipts)))
    bytes_of = tradeoff_figure([report, other]).axes[0]
    assert [each.get_text() for each in bytes_of.texts] == ["1, 2", "3, 4"]


def test_a_finished_run_is_published_with_all_that_belongs_to_it(tmp_path, monkeypatch):
    script = load_script("publish")
    monkeypatch.setattr(script, "SAVED", tmp_path / "saved")
    (tmp_path / "saved" / "tiny").mkdir(parents=True)
    (tmp_path / "saved" / "tiny" / "old.txt").write_text("of an earlier run")
    recipe = Recipe(
        data=Data(name="digits", augment="none", batch_size=200),
        model=Model(name="simple_cnn"),
        train=Train(epochs=1, schedule="constant", keep="last"),
        prune=None,
        explain=None,
        quantize=Quantize(samples=20),
    )
    run_recipe(recipe, "tiny", tmp_path / "run")
    options = script.Options(images=12)
    published = script.publish(tmp_path / "run", "tiny", options)
    assert published == tmp_path / "saved" / "tiny"
    there = {str(file.relative_to(published)) for file in published.rglob("*") if file.is_file()}
    assert {
        *("report.json", "recipe.json", "history.csv", "labels.txt", "report.html", "README.md"),
        *("model.keras", "model_int8.tflite", "weights.json", "weights.npz"),
        *("robustness.json", "verification.json", "bundle/golden/images.bin"),
    } <= there
    assert not {"old.txt", "run.json"} & there
    images = np.zeros((1, 32, 32, 3), np.uint8)
    answers = [model(images) for model in map(models.load, published.glob("*.keras"))]
    np.testing.assert_array_equal(models.load_published(published)(images), answers[0])
    assert [each.name for each in read_run(published).robustness.variants] == ["float", "int8"]
    assert json.loads((published / "verification.json").read_text())["failures"] == []
    assert "kcnn.models.pretrained" in (published / "README.md").read_text()

    monkeypatch.setattr(script, "LARGEST_FOLDER", 1000)
    before = sorted(tmp_path.joinpath("saved").rglob("*"))
    with pytest.raises(ValueError, match="saved_models/ would hold .* MB"):
        script.publish(tmp_path / "run", "tiny", options)
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(ValueError, match="holds no finished run"):
        script.publish(tmp_path / "run", "tiny", options)
    assert sorted(tmp_path.joinpath("saved").rglob("*")) == before


def test_a_study_is_published_without_its_runs_and_its_page_written_again(tmp_path, monkeypatch):
    script, run = load_script("publish"), tmp_path / "run"
    monkeypatch.setattr(script, "SAVED", tmp_path)
    shutil.copytree(SAVED_STUDY, run)
    (run / "trial-0019").mkdir()
    published = script.publish_study(run, "tuned")
    assert script.publish_study(run, "tuned") == published == tmp_path / "tuned"
    names = {"study.html", "study.json", "study.png"}
    assert {file.name for file in published.iterdir()} == names
    page = (published / "study.html").read_text()
    assert 'href="trial-' not in page and "68.60%" in page
    assert (published / "study.json").read_text() == (SAVED_STUDY / "study.json").read_text()
    (published / "study.html").write_text("")
    load_script("update_pages").update_study(published)
    assert (published / "study.html").read_text() == page
