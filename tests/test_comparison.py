"""Comparisons: real trainings on digits, what they leave behind, and how they go on."""

import dataclasses
import importlib.util
import json
import logging
import os
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from matplotlib.image import imread

from kcnn import data as datasets
from kcnn import recipe_files
from kcnn.cli import main
from kcnn.cli.run import how_to_go_on
from kcnn.comparison import Comparison, from_json, override, to_json
from kcnn.pipeline import run_comparison, smoke_comparison
from kcnn.pipeline.chosen_precision import in_one_precision
from kcnn.pipeline.comparison_folder import stored_report
from kcnn.pipeline.comparison_training import shifted_accuracy
from kcnn.pipeline.lock import lock
from kcnn.pipeline.plan import training_only
from kcnn.pipeline.precision import resolve_shared_precision
from kcnn.pipeline.setup import build
from kcnn.pipeline.training_setup import callbacks_for, training_for
from kcnn.recipe import Cluster, Data, Model, QuantizeAware, Recipe, Slim, Train, Transfer
from kcnn.report import comparison_report as reports
from kcnn.report.comparison_plot import comparison_figure
from kcnn.report.comparison_table import caption, header, markdown, row
from tests import killed

SHIPPED = [
    name
    for name in recipe_files.shipped()
    if isinstance(recipe_files.load(name).content, Comparison)
]


def variant(learning_rate=5e-3, epochs=2):
    return Recipe(
        data=Data(name="digits", augment="shift", limit=300, batch_size=30),
        model=Model(name="mlp", options={"units": 8, "depth": 1}),
        train=Train(epochs=epochs, optimizer="sgd", learning_rate=learning_rate),
    )


def tiny(**changes):
    fields = {
        "question": "Which rate?",
        "variants": {"slow": variant(1e-3), "fast": variant()},
        "seeds": (0, 1),
        "shifts": (0, 2),
    }
    return Comparison(**fields | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "tiny"
    return folder, run_comparison(tiny(), "tiny", folder)


def without_seconds(outcome):
    history = {key: value for key, value in outcome.history.items() if key != "seconds"}
    return dataclasses.replace(outcome, history=history)


def same_training(first, second):
    # Threads add in another order from one training to the next.
    one, other = (
        np.array([value for metric in sorted(each.history) for value in each.history[metric]])
        for each in map(without_seconds, (first, second))
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    return (first.variant, first.seed) == (second.variant, second.seed)


def test_every_variant_is_trained_from_every_seed(finished):
    folder, report = finished
    assert [(each.variant, each.seed) for each in report.outcomes] == [
        ("slow", 0),
        ("fast", 0),
        ("slow", 1),
        ("fast", 1),
    ]
    for each in report.outcomes:
        assert {len(values) for values in each.history.values()} == {2}
        assert set(each.history) >= {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
        assert each.parameters == (32 * 32 * 3 + 1) * 8 + 9 * 10
        assert each.shifted[0] == each.test_accuracy
        assert (each.train_images, each.test_images) == (270, 300)
    assert len({each.test_accuracy for each in report.outcomes}) > 1
    assert {path.name for path in folder.iterdir()} == {
        "results.json",
        "comparison.png",
        "table.md",
    }


def test_the_variants_of_a_seed_begin_alike(tmp_path):
    # Same weights and same images: with a rate of almost nothing, the same losses.
    twins = {"one": variant(1e-12, epochs=1), "two": variant(2e-12, epochs=1)}
    one, two = run_comparison(tiny(variants=twins, seeds=(3,)), "twins", tmp_path).outcomes
    assert one.history["loss"] == pytest.approx(two.history["loss"], rel=1e-5)
    assert one.history["val_loss"] == pytest.approx(two.history["val_loss"], rel=1e-5)


def test_the_report_is_read_as_it_was_written(finished):
    folder, report = finished
    loaded = reports.load(folder / "results.json")
    assert loaded == report
    assert loaded.comparison == resolve_shared_precision(training_only(tiny()))
    assert loaded.versions["keras"] and loaded.hardware["cores"] and loaded.created


def test_the_tables_numbers_are_the_results(finished):
    folder, report = finished
    raw = json.loads((folder / "results.json").read_text())
    accuracies = [each["test_accuracy"] for each in raw["outcomes"] if each["variant"] == "fast"]
    cells = dict(zip(header(report), row(report, "fast"), strict=True))
    assert cells["variant"] == "fast"
    assert cells["parameters"] == "24,674"
    assert cells["test accuracy"] == (
        f"{100 * mean(accuracies):.2f} ± {100 * stdev(accuracies):.2f}%"
    )
    for column, metric in (("validation", "val_accuracy"), ("training", "accuracy")):
        last = [e["history"][metric][-1] for e in raw["outcomes"] if e["variant"] == "fast"]
        assert cells[column] == f"{mean(last):.2%}"
    moved = [each["shifted"]["2"] for each in raw["outcomes"] if each["variant"] == "fast"]
    assert cells["2 px off"] == f"{mean(moved):.2%}"
    page = (folder / "table.md").read_text()
    assert page.startswith("# Which rate?\n")
    assert markdown(report) in page and caption(report) in page
    assert len({line.count("|") for line in markdown(report).splitlines()}) == 1
    assert "270 training images of digits, 2 epochs, means of 2 trainings" in page


def test_the_figures_lines_are_the_means(finished):
    folder, report = finished
    left, right = comparison_figure(report).axes
    for line, name in zip(left.lines, ("slow", "fast"), strict=True):
        expected = np.mean([each.history["val_accuracy"] for each in report.finished(name)], axis=0)
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert line.get_label() == name
    for line, name in zip(right.lines, ("slow", "fast"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0, 2])
        expected = [np.mean([each.shifted[p] for each in report.finished(name)]) for p in (0, 2)]
        np.testing.assert_allclose(line.get_ydata(), expected)
    unshifted = dataclasses.replace(report, comparison=tiny(shifts=()))
    _, right = comparison_figure(unshifted).axes
    expected = np.mean([each.history["loss"] for each in report.finished("slow")], axis=0)
    np.testing.assert_allclose(right.lines[0].get_ydata(), expected)
    height, width, _ = imread(folder / "comparison.png").shape
    assert (height, width) == (660, 1650)


def test_a_stopped_comparison_goes_on_with_the_same_answer(finished, tmp_path):
    _, report = finished
    kept = tuple(each for each in report.outcomes if (each.variant, each.seed) != ("slow", 1))
    dataclasses.replace(report, outcomes=kept).save(tmp_path / "results.json")
    again = run_comparison(tiny(), "tiny", tmp_path)
    assert again.outcomes[:3] == kept
    assert same_training(again.outcomes[3], report.outcomes[2])
    assert not again.missing()


def test_a_finished_comparison_is_only_drawn_again(finished, tmp_path, capsys, monkeypatch):
    _, report = finished
    report.save(tmp_path / "out" / "results.json")
    file = tmp_path / "tiny.py"
    file.write_text(
        "from kcnn.comparison import from_json\n"
        f"comparison = from_json({to_json(tiny(question='Other words?'))!r})\n"
    )
    logger = logging.getLogger("kcnn")
    for name in ("handlers", "propagate", "level"):  # main sets them for its process
        monkeypatch.setattr(logger, name, getattr(logger, name))
    for command in (["run", str(file), "--out"], ["inspect"]):
        with pytest.raises(SystemExit) as ended:
            main([*command, str(tmp_path / "out")])
        assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "epoch 1/" not in out
    assert out.count(row(report, "fast")[2]) == out.count("Other words?") == 2
    stored = reports.load(tmp_path / "out" / "results.json")
    reworded = resolve_shared_precision(training_only(tiny(question="Other words?")))
    assert stored == dataclasses.replace(report, comparison=reworded)
    assert (tmp_path / "out" / "comparison.png").exists()


def test_a_changed_comparison_is_refused_unless_overwritten(finished, tmp_path):
    _, report = finished
    report.save(tmp_path / "results.json")
    before = (tmp_path / "results.json").read_bytes()
    for changed in (
        override(tiny(), ["train.epochs=1"]),
        tiny(shifts=()),
        tiny(seeds=(0,)),
        tiny(variants={"fast": variant(), "other": variant(0.1)}),
        tiny(variants={"slow": variant(), "fast": variant(), "other": variant(0.1)}),
    ):
        with pytest.raises(ValueError, match="--overwrite"):
            run_comparison(changed, "tiny", tmp_path)
    assert (tmp_path / "results.json").read_bytes() == before
    one = tiny(variants={"a": variant(epochs=1), "b": variant(epochs=1)}, seeds=(5,))
    assert [
        each.seed for each in run_comparison(one, "tiny", tmp_path, overwrite=True).outcomes
    ] == [5, 5]


def test_an_overwritten_comparison_stands_until_the_new_one_is_complete(
    finished, tmp_path, monkeypatch
):
    _, report = finished
    run_comparison(report.comparison, "old", save_in(tmp_path, report))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    one = tiny(variants={"a": variant(epochs=1), "b": variant(epochs=1)}, seeds=(5,))
    with lock(tmp_path), pytest.raises(ValueError, match="Another run is writing into"):
        run_comparison(one, "new", tmp_path, overwrite=True)
    writes, replace = iter(range(2)), os.replace

    def killed_after_the_second(*arguments):
        replace(*arguments)
        if next(writes) == 1:  # the empty report, and that with one training
            raise killed.Killed

    monkeypatch.setattr(os, "replace", killed_after_the_second)
    with pytest.raises(killed.Killed):
        run_comparison(one, "new", tmp_path, overwrite=True)
    monkeypatch.undo()
    assert {file.name: file.read_bytes() for file in tmp_path.glob("[!.]*")} == before
    line = how_to_go_on(tmp_path, overwrite=True, earlier=True)
    assert f"{tmp_path}/: the same command goes on" in line
    first = reports.load(tmp_path / ".results.new.json").outcomes
    again = run_comparison(one, "new", tmp_path, overwrite=True)
    assert (len(first), again.outcomes[:1]) == (1, first)
    assert reports.load(tmp_path / "results.json") == again
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(before)


def save_in(folder, report):
    report.save(folder / "results.json")
    return folder


def test_more_seeds_add_to_what_is_there(finished):
    _, report = finished
    more = dataclasses.replace(report, comparison=tiny(seeds=(0, 1, 2)))
    assert more.missing() == [("slow", 2), ("fast", 2)]


def test_more_variants_add_to_what_is_there(finished, tmp_path):
    """Also on another machine, which the results and the table say."""
    other = {"processor": "Old One", "cores": 4}
    report = dataclasses.replace(finished[1], hardware=other, created="then")
    variants = {"other": variant(0.1, epochs=1)} | tiny().variants  # in front of the others
    grown = run_comparison(tiny(variants=variants), "tiny", save_in(tmp_path, report))
    before = [dataclasses.replace(each, hardware=other) for each in report.outcomes]
    assert list(grown.outcomes[: len(before)]) == before
    assert (grown.created, grown.hardware) == ("then", finished[1].hardware)
    assert f"s/epoch on 4 cores of Old One or {grown.hardware['cores']} cores" in caption(grown)
    assert ', which are not to be compared. "n px off" is' in caption(grown)
    assert [(each.variant, each.seed) for each in grown.outcomes[len(report.outcomes) :]] == [
        ("other", 0),
        ("other", 1),
    ]
    assert list(grown.comparison.variants) == ["other", "slow", "fast"]
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split()[1] for line in lines[4:7]] == ["other", "slow", "fast"]
    assert reports.load(tmp_path / "results.json") == grown


def test_a_grown_comparison_goes_on_in_the_precision_it_began_with(tmp_path):
    """Whichever variant stands in front."""
    exact = dataclasses.replace(variant().train, precision="float32")
    grown = tiny(variants={"exact": dataclasses.replace(variant(), train=exact)} | tiny().variants)
    for begun in (tiny(), grown):
        comparison = in_one_precision(training_only(begun), "mixed_bfloat16")
        reports.ComparisonReport("tiny", comparison).save(tmp_path / "results.json")
        found = stored_report(grown, tmp_path).comparison.variants
        precisions = {name: recipe.train.precision for name, recipe in found.items()}
        assert precisions == {
            "exact": "float32",
            "slow": "mixed_bfloat16",
            "fast": "mixed_bfloat16",
        }
    based = dataclasses.replace(variant(), transfer=Transfer(base="resnet20"), model=Model())
    with pytest.raises(ValueError, match="in mixed_bfloat16, in which a base cannot be trained"):
        stored_report(tiny(variants=tiny().variants | {"based": based}), tmp_path)


def test_what_is_no_comparison_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="something else"):
            run_comparison(tiny(), "tiny", tmp_path, overwrite=overwrite)
        with pytest.raises(ValueError, match="something else"):
            run_comparison(tiny(), "tiny", tmp_path / "thesis.txt", overwrite=overwrite)
    (tmp_path / "results.json").write_text('{"outcomes": []}')
    with pytest.raises(ValueError, match="no comparison of this version"):
        run_comparison(tiny(), "tiny", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_variant_that_diverges_is_a_result(tmp_path):
    variants = {"fast": variant(epochs=1), "absurd": variant(1e30, epochs=3)}
    report = run_comparison(tiny(variants=variants, seeds=(0,)), "tiny", tmp_path)
    fast, absurd = report.outcomes
    assert fast.diverged is None and fast.test_accuracy
    assert absurd.diverged and absurd.test_accuracy is None
    assert {len(values) for values in absurd.history.values()} == {absurd.diverged - 1}
    assert f"| diverged in epoch {absurd.diverged} | – |" in (tmp_path / "table.md").read_text()
    labels = [line.get_label() for line in comparison_figure(report).axes[0].lines]
    assert labels == ["fast", "absurd\n(diverged)"]
    assert reports.load(tmp_path / "results.json") == report


def test_a_variant_that_explodes_without_a_nan_is_no_mean(tmp_path):
    exploding = dataclasses.replace(
        variant(),
        model=Model(name="lenet5"),
        train=Train(epochs=2, optimizer="sgd", learning_rate=1e5, schedule="constant"),
    )
    variants = {"fast": variant(epochs=1), "exploding": exploding}
    report = run_comparison(tiny(variants=variants, seeds=(0,)), "tiny", tmp_path)
    found = report.outcomes[1]
    assert found.diverged in (1, 2) and found.test_accuracy is None
    assert len(found.history["loss"]) == found.diverged - 1


def test_a_mistake_in_the_last_variant_comes_before_the_first_training(tmp_path):
    wrong = dataclasses.replace(variant(), model=Model(name="mlp", options={"unit": 3}))
    with pytest.raises(ValueError, match=r"wrong: .*Did you mean 'units'"):
        run_comparison(tiny(variants={"fast": variant(), "wrong": wrong}), "tiny", tmp_path / "new")
    with pytest.raises(ValueError, match="below the images' 32 pixels"):
        run_comparison(tiny(shifts=(32,)), "tiny", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_shifted_images_are_moved_right_and_down_onto_black(pixels):
    data = datasets.load("digits", limit=200, batch_size=64)
    seen = []

    def always_four(images):
        seen.append(images)
        return np.tile(np.eye(10, dtype="float32")[4], (len(images), 1))

    accuracy = shifted_accuracy(always_four, data, pixels)
    images, labels = map(np.concatenate, zip(*data.test.as_numpy_iterator(), strict=True))
    expected = np.zeros_like(images)
    expected[:, pixels:, pixels:] = images[:, : 32 - pixels, : 32 - pixels]
    np.testing.assert_array_equal(np.concatenate(seen), expected)
    assert accuracy == pytest.approx((labels == 4).mean())


def test_a_comparison_leaves_out_whatever_its_recipes_make_of_the_trained_model():
    full = dataclasses.replace(
        variant(),
        slim=Slim(),
        cluster=Cluster(),
        quantize_aware=QuantizeAware(),
        tta="flip",
        seed=7,
    )
    bare = dataclasses.replace(variant(), prune=None, quantize=None, explain=None)
    comparison = tiny(variants={"full": full, "bare": bare})
    assert from_json(to_json(comparison)) == comparison
    assert [*training_only(comparison).variants.values()] == [bare.resolved()] * 2
    for assignment in ('slim={"macs": 0.5}', "quantize_aware=none", "tta=flip"):
        with pytest.raises(ValueError, match="only trains its recipes"):
            override(comparison, [assignment])


def test_overrides_reach_every_variant():
    changed = override(tiny(), ["train.epochs=7", "data.limit=none", "seeds=[4, 2]", "shifts=[]"])
    assert [each.train.epochs for each in changed.variants.values()] == [7, 7]
    assert [each.data.limit for each in changed.variants.values()] == [None, None]
    assert changed.variants["slow"].train.learning_rate == 1e-3
    assert (changed.seeds, changed.shifts) == ((4, 2), ())
    assert override(tiny(), []) == tiny()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epocs=5", r"slow: Unknown key 'train.epocs'. Did you mean 'train.epochs'\?"),
        ("train.epochs=0", "slow: train.epochs must .*Received: 0"),
        ("prune.epochs=3", "leaves the section 'prune' out"),
        ("seed=3", r"seeds=\[0, 1\]"),
        ("seeds=three", r"like seeds=\[0, 1\]. Received: 'three'"),
        ("seeds=[]", "seeds must have 1 or more entries"),
        ("seeds=[1, 1]", "seeds: .*twice"),
        ("shifts=[-1]", "shifts.0 must be at least 0"),
        ("epochs", "Expected key=value"),
        ("train.checkpoint_steps=none", "train.checkpoint_steps means nothing in a comparison"),
        ('train.loggers=["mlflow"]', "train.loggers means nothing in a comparison"),
    ],
)
def test_a_wrong_override_is_refused_in_one_line(assignment, message):
    with pytest.raises(ValueError, match=message) as caught:
        override(tiny(), [assignment])
    assert "\n" not in str(caught.value)


def test_a_comparison_of_one_is_none():
    with pytest.raises(ValueError, match="at least 2 items"):
        tiny(variants={"alone": variant()})
    with pytest.raises(ValueError, match="Not a comparison"):
        from_json("{")


def test_a_document_gets_a_comparisons_table(finished):
    folder, report = finished
    path = Path(__file__).parent.parent / "docs/update_tables.py"
    spec = importlib.util.spec_from_file_location("update_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "one\n<!-- comparison {} -->\n{}<!-- end -->\ntwo\n"
    file = folder / "results.json"
    expected = text.format(file, f"{markdown(report)}\n\n{caption(report)}\n")
    assert module.update_tables(text.format(file, "old")) == expected
    assert module.update_tables(expected) == expected


def test_a_file_has_one_recipe_or_one_comparison(tmp_path):
    file = tmp_path / "mine.py"
    text = f"from kcnn.comparison import from_json\ncomparison = from_json({to_json(tiny())!r})\n"
    file.write_text(text)
    loaded = recipe_files.load(str(file))
    assert loaded.content == tiny()
    with pytest.raises(ValueError, match="'mine' is a comparison of 2 recipes"):
        _ = loaded.recipe
    file.write_text(text + "from kcnn.recipe import Recipe\nrecipe = Recipe()\n")
    with pytest.raises(ValueError, match="both `recipe"):
        recipe_files.load(str(file))


def test_the_five_comparisons_are_shipped():
    assert {
        "compare_optimizers",
        "compare_initializers",
        "compare_activations",
        "compare_depth",
        "mlp_vs_cnn",
    } <= set(SHIPPED)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", limit=300, batch_size=32)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_comparison_goes_on_with_its_committed_results(name):
    file = Path(__file__).parents[1] / "saved_models" / name / "results.json"
    if not file.is_file():
        pytest.skip("no results are committed")
    current = training_only(recipe_files.load(name).content)
    current = override(current, ["train.precision=float32"])
    assert resolve_shared_precision(current) == current
    assert current.variants == training_only(reports.load(file).comparison).variants


def with_a_base_that_is_here(recipe):
    """Of a recipe whose base another recipe trains first, one with a published base."""
    if recipe.transfer is None or not recipe.transfer.base.startswith("runs/"):
        return recipe
    transfer = dataclasses.replace(recipe.transfer, base="resnet8_int8")
    return dataclasses.replace(recipe, transfer=transfer)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_variant_of_a_shipped_comparison_can_be_trained(name, digits):
    file = recipe_files.load(name)
    assert from_json(to_json(file.content)) == file.content
    short = smoke_comparison(file.content)
    assert len(short.seeds) == 1
    for recipe in map(with_a_base_that_is_here, short.variants.values()):
        assert recipe.train.epochs == 1 and recipe.data.limit == 512
        model = build(recipe, digits)
        training_for(recipe, model, digits)
        callbacks_for(recipe.train, digits, None)
    assert f"kcnn run {name}" in Path(file.path).read_text()
