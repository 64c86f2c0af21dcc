"""What a model got wrong, held against scikit-learn, other formulas and counts by hand."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, confusion_matrix, precision_recall_fscore_support

from kcnn.explain import Heatmaps
from kcnn.intervals import wilson_interval
from kcnn.report import analysis
from kcnn.report.analysis import Answer
from kcnn.report.calibration_plot import reliability_figure
from kcnn.report.confusion_plot import confusion_figure, plot_confusion
from kcnn.report.galleries import Gallery, galleries_figure, plot_galleries
from kcnn.report.metrics import (
    calibration,
    class_scores,
    confused_pairs,
    probabilities,
)
from kcnn.report.mistakes import analyze

NAMES = ("cat", "dog", "frog", "ship")


def answers(count=500, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    logits = rng.normal(size=(count, 4)) * 2
    logits[np.arange(count), labels] += 2
    return logits, labels


@pytest.mark.parametrize(("right", "count"), [(9, 10), (0, 20), (20, 20), (8995, 10_000)])
def test_wilsons_interval_is_where_the_test_of_the_proportion_is_at_its_limit(right, count):
    z = 1.959963984540054
    low, high = wilson_interval(right / count, count)
    assert 0 <= low <= right / count <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            deviation = abs(right / count - end) / np.sqrt(end * (1 - end) / count)
            assert deviation == pytest.approx(z, rel=1e-9)


def test_wilsons_interval_as_newcombe_published_it():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20.
    for right, count, published in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
    ):
        assert wilson_interval(right / count, count) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("wrong", [{"accuracy": 1.1}, {"count": 0}, {"level": 1.0}])
def test_an_interval_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        wilson_interval(**({"accuracy": 0.5, "count": 10} | wrong))


def test_the_class_scores_are_sklearns_also_where_a_class_is_never_told():
    logits, labels = answers()
    logits[:, 3] = -100
    predicted = logits.argmax(axis=1)
    scores = class_scores(confusion_matrix(labels, predicted, labels=range(4)), NAMES)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
    for column, key in enumerate(("precision", "recall", "f1", "support")):
        assert [getattr(each, key) for each in scores] == pytest.approx(expected[column])
    assert [each.name for each in scores] == list(NAMES)
    assert scores[3].precision == scores[3].recall == scores[3].f1 == 0


def test_the_most_frequent_mistakes_come_first_and_right_answers_never():
    confusion = np.array([[90, 7, 3], [9, 81, 10], [0, 0, 5]])
    pairs = confused_pairs(confusion, ["cat", "dog", "frog"], limit=3)
    assert [(each.truth, each.predicted, each.count, each.share) for each in pairs] == [
        ("dog", "frog", 10, 0.1),
        ("dog", "cat", 9, 0.09),
        ("cat", "dog", 7, 0.07),
    ]
    assert len(confused_pairs(confusion, ["cat", "dog", "frog"])) == 4
    assert confused_pairs(np.diag([3, 4]), ["cat", "dog"]) == ()


def test_calibration_by_hand():
    sure = np.array([[0.55, 0.45], [0.58, 0.42], [0.95, 0.05], [0.1, 0.9], [1.0, 0.0]])
    result = calibration(sure, np.array([0, 1, 0, 1, 1]), bins=10)
    assert result.counts == (0, 0, 0, 0, 0, 2, 0, 0, 1, 2)
    assert result.confidence[5] == pytest.approx(0.565) and result.accuracy[5] == 0.5
    # 0.9 lies in the bin that it closes
    assert result.confidence[8] == pytest.approx(0.9) and result.accuracy[8] == 1
    assert result.confidence[9] == pytest.approx(0.975) and result.accuracy[9] == 0.5
    assert result.error == pytest.approx((2 * 0.065 + 0.1 + 2 * 0.475) / 5)
    assert result.mean_confidence == pytest.approx(sure.max(axis=1).mean())


def test_calibration_is_bounded_by_its_coarsest_and_finest_bins():
    logits, labels = answers(2000)
    sure = probabilities(logits)
    right = sure.argmax(axis=1) == labels
    gap = abs(sure.max(axis=1).mean() - right.mean())
    assert calibration(sure, labels, bins=1).error == pytest.approx(gap)
    result = calibration(sure, labels)
    assert len(result.counts) == 15 and sum(result.counts) == 2000
    # Jensen: squared per bin, the calibration error is no more than the Brier score.
    assert gap <= result.error <= np.sqrt(brier_score_loss(right, sure.max(axis=1)))


def test_a_model_that_is_as_sure_as_right_is_calibrated():
    rng = np.random.default_rng(0)
    sure = probabilities(rng.normal(size=(100_000, 4)) * 2)
    labels = (rng.random((100_000, 1)) > sure.cumsum(axis=1)).sum(axis=1)
    assert calibration(sure, labels).error < 0.01
    assert calibration(probabilities(3 * np.log(sure)), labels).error > 0.1


def test_probabilities_of_large_logits():
    np.testing.assert_allclose(
        probabilities(np.array([[1e4, 1e4, 0], [-1e4, 0, 0]])), [[0.5, 0.5, 0], [0, 0.5, 0.5]]
    )


def test_the_surest_mistakes_come_first():
    logits, labels = answers()
    found = analyze({"float": logits}, labels, NAMES, shown=20)
    sure, predicted = probabilities(logits).max(axis=1), logits.argmax(axis=1)
    wrong = {index for index in range(500) if predicted[index] != labels[index]}
    assert 20 < len(wrong) < 250
    expected = sorted(wrong, key=lambda index: -sure[index])[:20]
    assert [case.index for case in found.mistakes] == expected
    for case in found.mistakes:
        assert case.truth == NAMES[labels[case.index]]
        assert case.answers == (
            Answer(NAMES[predicted[case.index]], pytest.approx(sure[case.index])),
        )


def test_disagreements_are_counted_from_both_sides():
    first, labels = answers()
    second = first + np.random.default_rng(1).normal(size=first.shape)
    found = analyze(
        {"float": first, "int8": second}, labels, NAMES, compared=[("float", "int8")], shown=5
    )
    (each,) = found.disagreements
    one, two = first.argmax(axis=1), second.argmax(axis=1)
    assert each.differ == (one != two).sum() > each.only_first_right + each.only_second_right
    assert each.only_first_right == ((one == labels) & (two != labels)).sum() > 5
    difference = (one == labels).sum() - (two == labels).sum()
    assert each.only_first_right - each.only_second_right == difference
    assert len(each.lost) == len(each.gained) == 5
    for case in each.lost:
        assert case.answers[0].predicted == case.truth != case.answers[1].predicted
    for case in each.gained:
        assert case.answers[1].predicted == case.truth != case.answers[0].predicted
    assert [variant.name for variant in found.variants] == ["float", "int8"]


def test_a_form_agrees_with_itself():
    logits, labels = answers(50)
    found = analyze({"a": logits, "b": logits}, labels, NAMES, compared=[("a", "b")])
    (each,) = found.disagreements
    assert (each.differ, each.only_first_right, each.lost, each.gained) == (0, 0, (), ())


def test_an_analysis_is_read_as_it_was_written(tmp_path):
    logits, labels = answers()
    found = analyze({"float": logits, "int8": -logits}, labels, NAMES, compared=[("float", "int8")])
    found.save(tmp_path / "analysis.json")
    assert analysis.load(tmp_path / "analysis.json") == found
    assert json.loads((tmp_path / "analysis.json").read_text())["count"] == 500


def test_an_analysis_of_an_older_version_is_read(tmp_path):
    logits, labels = answers()
    found = analyze({"float": logits, "int8": -logits}, labels, NAMES, compared=[("float", "int8")])
    found = dataclasses.replace(
        found, drifts=(analysis.HeatmapDrift("float", "int8", 9, None, None, None, None),)
    )
    found.save(tmp_path / "analysis.json")
    older = (tmp_path / "analysis.json").read_text()
    for name, old in (("variants", "forms"), ("variant", "form"), ("predicted", "told")):
        assert f'"{name}":' in older
        older = older.replace(f'"{name}":', f'"{old}":')
    (tmp_path / "analysis.json").write_text(older)
    assert analysis.load(tmp_path / "analysis.json") == found


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"count": 3, "variants": 5, "mistakes": []}']
)
def test_a_file_that_is_no_analysis_is_refused_in_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "analysis.json").write_text(text)
    with pytest.raises(ValueError, match="no analysis") as caught:
        analysis.load(tmp_path / "analysis.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("logits", [{}, {"float": np.zeros((3, 4))}, {"float": np.zeros((2, 3))}])
def test_logits_of_other_images_or_classes_are_refused(logits):
    with pytest.raises(ValueError, match="Expected logits"):
        analyze(logits, np.array([0, 1]), NAMES)


def test_a_reliability_diagram_draws_the_bins():
    logits, labels = answers()
    result = calibration(probabilities(logits), labels)
    figure = reliability_figure({"float": result, "int8": result})
    accuracy, _, counts, _ = figure.axes
    bars = {round(bar.get_x() * 15): bar.get_height() for bar in accuracy.patches}
    assert bars == {
        place: pytest.approx(result.accuracy[place])
        for place, count in enumerate(result.counts)
        if count
    }
    assert [bar.get_height() for bar in counts.patches] == list(result.counts)


def test_a_gallery_shows_every_image_beside_its_map():
    rng = np.random.default_rng(0)
    images, maps = (rng.integers(0, 256, (5, 8, 12, 3), np.uint8) for _ in range(2))
    captions = ["cat\npredicted dog (97.3%)", *["x" * 60] * 4]
    figure = galleries_figure([Gallery("Mistakes", (images, maps), captions, ("image", "float"))])
    cells = [axes for axes in figure.subfigs[0].axes if axes.images]
    assert len(cells) == 5
    drawn = np.asarray(cells[1].images[0].get_array())
    np.testing.assert_array_equal(drawn[:, :12], images[1])
    np.testing.assert_array_equal(drawn[:, -12:], maps[1])
    assert [text.get_text() for text in cells[4].texts] == ["image", "float"]
    assert cells[0].get_title() == captions[0]
    assert len(cells[1].get_title()) == 2 * 26 and cells[1].get_title().endswith("…")


def test_grey_images_are_drawn_grey():
    images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)
    figure = galleries_figure([Gallery("Digits", (images,), ["one", "two"])], heat=True)
    drawn = np.asarray(figure.subfigs[0].axes[0].images[0].get_array())
    np.testing.assert_array_equal(drawn, np.repeat(images[0], 3, axis=-1))


def test_a_class_may_be_called_what_would_be_a_formula(tmp_path):
    name = "a_$b^$c"
    image = np.zeros((1, 8, 8, 3), np.uint8)
    heatmaps = Heatmaps(np.ones((1, 2, 2), "float32"), np.array([0]), np.ones(1), "relu")
    plot_galleries([Gallery(name, (image, image), [name], ("image", name))], tmp_path / "a.png")
    heatmaps.save(tmp_path / "b.png", image, [name])
    plot_confusion(np.eye(2, dtype=int), [name, "dog"], tmp_path / "c.png", title=name)
    axes = confusion_figure(np.eye(2, dtype=int), [name, "dog"]).axes[0]
    assert axes.get_xticklabels()[0].get_text() == axes.get_yticklabels()[0].get_text() == name
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("path", ["picture", "picture.pgn"])
def test_what_is_no_picture_is_refused_and_nothing_is_written(tmp_path, path):
    image = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=rf"kind of picture '{path}'.*\.png") as caught:
        plot_galleries([Gallery("one", (image,), ["one"])], tmp_path / path)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "galleries",
    [
        [],
        [Gallery("none", (np.zeros((0, 8, 8, 3), np.uint8),), [])],
        [Gallery("short", (np.zeros((2, 8, 8, 3), np.uint8),), ["one"])],
        [Gallery("odd", (np.zeros((1, 8, 8, 3)), np.zeros((1, 4, 4, 3))), ["one"])],
        [Gallery("flat", (np.zeros((1, 8, 8)),), ["one"])],
    ],
)
def test_a_gallery_that_does_not_fit_is_refused(galleries):
    with pytest.raises(ValueError, match="Expected a"):
        galleries_figure(galleries)
