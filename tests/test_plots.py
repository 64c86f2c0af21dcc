"""The pictures of a run, inspected as figures and as files."""

import dataclasses

import numpy as np
import pytest
from matplotlib.image import imread

from kcnn.explain import Heatmaps
from kcnn.pictures import side_by_side
from kcnn.report.confusion_plot import confusion_figure, plot_confusion
from kcnn.report.learning_curves import (
    compared_curves_figure,
    curves_figure,
    narrow_curves_figure,
    plot_curves,
)
from kcnn.report.training_events import Event

EPOCHS = 4
HISTORY = {
    "loss": [2.0, 1.5, 1.2, 1.1],
    "accuracy": [0.3, 0.45, 0.5, 0.55],
    "val_loss": [1.8, 1.2, 1.3, 1.4],
    "val_accuracy": [0.4, 0.6, 0.62, 0.61],
    "learning_rate": [1e-3, 1e-3, 1e-4, 1e-4],
}
NAMES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def counts(classes=10, seed=0):
    confusion = np.random.default_rng(seed).integers(0, 30, (classes, classes))
    return confusion + np.diag([900] * classes)


def test_curves_show_the_history_as_it_is():
    figure = curves_figure(HISTORY, title="resnet20")
    loss, accuracy, rate = figure.axes
    for axes, metric in ((loss, "loss"), (accuracy, "accuracy")):
        drawn = lines(axes)
        for label, key in (("training", metric), ("validation", f"val_{metric}")):
            np.testing.assert_array_equal(drawn[label].get_xdata(), [1, 2, 3, 4])
            np.testing.assert_array_equal(drawn[label].get_ydata(), HISTORY[key])
        colors = {drawn[label].get_color() for label in ("training", "validation")}
        assert len(colors) == 2
        low, high = axes.get_ylim()
        values = HISTORY[metric] + HISTORY[f"val_{metric}"]
        assert low < min(values) and max(values) < high
    np.testing.assert_array_equal(
        lines(rate)["learning rate"].get_ydata(), HISTORY["learning_rate"]
    )
    assert rate.get_yscale() == "log" and loss.get_yscale() == accuracy.get_yscale() == "linear"
    assert figure.get_suptitle() == "resnet20"


def test_every_panel_is_labelled():
    figure = curves_figure(HISTORY)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss", "accuracy (%)", "learning rate"]
    for axes in figure.axes:
        assert axes.get_xlabel() == "epoch" and axes.get_title() and axes.get_legend()
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    figure.canvas.draw()
    ticks = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert any(float(tick) > 1 for tick in ticks)  # per cent, not a share


def test_the_best_epoch_is_that_of_least_validation_loss_unless_named():
    for chosen, expected in ((None, 2), (4, 4)):
        for axes in curves_figure(HISTORY, best_epoch=chosen).axes:
            assert lines(axes)[f"best epoch: {expected}"].get_xdata() == [expected, expected]


def test_a_loss_that_is_nan_is_never_the_best():
    history = HISTORY | {"val_loss": [np.nan, 1.3, 1.2, np.nan]}
    assert "best epoch: 3" in lines(curves_figure(history).axes[0])
    history = HISTORY | {"val_loss": [np.nan] * 4}
    assert set(lines(curves_figure(history).axes[0])) == {"training", "validation"}


def test_a_single_epoch_and_missing_validation_can_be_drawn(tmp_path):
    single = {key: values[:1] for key, values in HISTORY.items()}
    plot_curves(single, tmp_path / "single.png")
    assert lines(curves_figure(single).axes[0])["training"].get_marker() == "o"
    training_only = {key: HISTORY[key] for key in ("loss", "accuracy", "learning_rate")}
    plot_curves(training_only, tmp_path / "training.png")
    assert set(lines(curves_figure(training_only).axes[1])) == {"training"}
    assert len(curves_figure({"loss": [1.0], "top5": [1, 2]}).axes) == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "no values"),
        ({"accuracy": [0.5]}, "'loss'"),
        (HISTORY | {"val_loss": [1.0]}, "'val_loss': 1"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(history, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_curves(history, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epoch", [0, 5])
def test_a_best_epoch_that_never_was_is_refused(epoch):
    with pytest.raises(ValueError, match="from 1 to 4"):
        curves_figure(HISTORY, best_epoch=epoch)


def test_the_confusion_matrix_shows_counts_and_row_shares():
    confusion = counts()
    figure = confusion_figure(confusion, NAMES, title="resnet20")
    axes, bar = figure.axes
    assert axes.get_ylabel() == "true class" and axes.get_xlabel() == "predicted class"
    assert bar.get_ylabel() == "share of the true class"
    texts = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert len(texts) == 100 and texts[(3, 1)] == str(confusion[1, 3])  # x: predicted, y: true
    shares = axes.get_images()[0].get_array()
    np.testing.assert_allclose(shares, confusion / confusion.sum(axis=1, keepdims=True))
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
    right = confusion.trace()
    accuracy = f"{right:,} of {confusion.sum():,} correct: {right / confusion.sum():.2%}"
    assert axes.get_title() == f"resnet20\n{accuracy}"


def luminance(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_counts_contrast_with_their_cells():
    classes = 20
    shares = np.linspace(0.05, 1, classes)
    confusion = np.zeros((classes, classes), int)
    confusion[:, 0] = 1000 * shares
    confusion[:, 1] = 1000 - confusion[:, 0]
    axes = confusion_figure(confusion, [str(n) for n in range(classes)]).axes[0]
    image = axes.get_images()[0]
    for text in axes.texts:
        column, row = text.get_position()
        if confusion[row, column]:
            cell = luminance(np.array(image.to_rgba(image.get_array())[row, column][:3]))
            ink = 1.0 if text.get_color() == "white" else 0.0
            contrast = (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05)
            assert contrast > 4, (confusion[row, column], contrast)  # WCAG asks for 3 and more


@pytest.mark.parametrize(
    ("classes", "numbers", "labels"), [(2, 4, 2), (20, 400, 20), (100, 0, 100), (130, 0, None)]
)
def test_any_number_of_classes_can_be_drawn(classes, numbers, labels, tmp_path):
    names = [f"class {n}" for n in range(classes)]
    axes = confusion_figure(counts(classes), names).axes[0]
    assert len(axes.texts) == numbers
    assert labels is None or len(axes.get_yticks()) == labels


def test_a_class_without_images_is_no_division_by_zero():
    axes = confusion_figure(np.array([[3, 1], [0, 0]]), ["cat", "dog"]).axes[0]
    np.testing.assert_array_equal(axes.get_images()[0].get_array(), [[0.75, 0.25], [0, 0]])


@pytest.mark.parametrize(
    ("confusion", "message"),
    [
        (np.ones((2, 3), int), r"shape \(2, 2\)"),
        (np.ones((3, 3), int), "for 2 class names"),
        (np.ones((2, 2)), "float64"),
        (np.zeros((2, 2), int), "at least one image"),
        (np.array([[2, -1], [0, 1]]), "at least one image"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(confusion, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_confusion(confusion, ["cat", "dog"], tmp_path / "confusion.png")
    assert not list(tmp_path.iterdir())


def test_files_are_pictures_of_sane_size_and_nothing_else_is_left(tmp_path):
    plot_curves(HISTORY, tmp_path / "curves.png")
    plot_confusion(counts(), NAMES, tmp_path / "confusion.png")
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "confusion.png"}
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        height, width, _ = imread(path).shape
        assert 500 < height < 2000 and 800 < width < 2500
        assert 10_000 < path.stat().st_size < 500_000


def images(count):
    shape = (count, 32, 32, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")


def heatmaps_of(raw):
    raw = np.asarray(raw, "float32")
    indices = np.arange(len(raw))
    return Heatmaps(raw=raw, class_index=indices, score=indices + 0.5, layer="relu")


def test_normalized_maps_span_zero_to_one_whatever_their_scale():
    heatmaps = heatmaps_of([[[0, 1e-30]], [[0, 5e30]], [[0, 0]]])
    np.testing.assert_array_equal(heatmaps.normalized, [[[0, 1]], [[0, 1]], [[0, 0]]])


def test_the_overlay_mixes_image_and_colors_bilinearly():
    heatmaps = heatmaps_of([[[0, 1], [0, 1]]])
    gray = np.full((1, 8, 8, 1), 100, "uint8")
    np.testing.assert_array_equal(heatmaps.overlay(gray, alpha=0), np.full((1, 8, 8, 3), 100))
    colors = heatmaps.overlay(gray, alpha=1)[0].astype(int)
    mixed = heatmaps.overlay(gray, alpha=0.25)[0].astype(int)
    assert colors.shape == (8, 8, 3) and heatmaps.overlay(gray).dtype == np.uint8
    np.testing.assert_allclose(mixed, 0.25 * colors + 75, atol=1)
    # Inferno grows lighter with the value: from the zero column to the one column, never back.
    lightness = colors.sum(axis=-1)
    assert (lightness == lightness[:1]).all() and (np.diff(lightness[0]) >= 0).all()
    assert len(set(lightness[0])) >= 5
    np.testing.assert_array_equal(
        heatmaps.overlay(gray.astype("float32") + 0.25), heatmaps.overlay(gray)
    )


def test_pictures_of_many_images_are_written_large_and_whole(tmp_path):
    heatmaps, batch = heatmaps_of(np.random.default_rng(0).random((6, 4, 4))), images(6)
    path = tmp_path / "grad_cam.png"
    heatmaps.save(path, batch, [f"true: cat\npredicted: dog {n}" for n in range(6)])
    picture = imread(path)
    assert 400 < picture.shape[0] < 1500 and 1500 < picture.shape[1] < 2500
    assert list(tmp_path.iterdir()) == [path]
    figure = heatmaps.plot(batch)
    assert figure.axes[1].get_title() == "class 1, logit 1.50"
    assert "evidence" in figure.axes[-1].get_ylabel() and "relu" in figure.get_suptitle()
    shown = figure.axes[5].get_images()[0].get_array()
    np.testing.assert_array_equal(shown[:, :32], batch[5])
    np.testing.assert_array_equal(shown[:, -32:], heatmaps.overlay(batch)[5])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (images(3), "Expected 2 images"),
        (images(2)[..., :2], "1 or 3"),
        (images(2) / 255, "0-255"),
        (images(2) * -1.0, "0-255"),
    ],
)
def test_images_that_cannot_be_drawn_are_refused_and_nothing_is_left(batch, message, tmp_path):
    heatmaps = heatmaps_of(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match=message):
        heatmaps.save(tmp_path / "picture.png", batch)
    with pytest.raises(ValueError, match="Expected 2 titles. Received: 1"):
        heatmaps.save(tmp_path / "picture.png", images(2), ["one"])
    with pytest.raises(ValueError, match="alpha"):
        heatmaps.overlay(images(2), alpha=1.5)
    assert not list(tmp_path.iterdir())


def test_heatmaps_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        heatmaps_of(np.ones((1, 2, 2))).layer = "other"


def test_tiles_lie_side_by_side_with_white_between_them():
    gray, color = images(2)[..., :1], images(2)
    joined = side_by_side([gray, color])
    np.testing.assert_array_equal(joined[:, :, :32], np.repeat(gray, 3, axis=-1))
    np.testing.assert_array_equal(joined[:, :, -32:], color)
    assert joined.shape == (2, 32, 66, 3) and (joined[:, :, 32:34] == 255).all()


def test_curves_of_several_runs_are_told_apart_in_every_panel():
    shorter = {key: values[:2] for key, values in HISTORY.items() if not key.startswith("val_")}
    histories = {f"run {n}": HISTORY for n in range(8)} | {"short": shorter}
    loss, accuracy, rate = compared_curves_figure(histories).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == (
        "validation loss",
        "validation accuracy (%)",
    )
    for axes, key in ((loss, "val_loss"), (accuracy, "val_accuracy"), (rate, "learning_rate")):
        drawn = lines(axes)
        assert list(drawn) == list(histories)
        assert len({(line.get_color(), line.get_linestyle()) for line in drawn.values()}) == 9
        np.testing.assert_array_equal(drawn["run 7"].get_ydata(), HISTORY[key])
        np.testing.assert_array_equal(drawn["short"].get_ydata(), shorter[key.removeprefix("val_")])
        assert not axes.spines["top"].get_visible() and axes.get_xlim() == (0.5, 4.5)


def test_events_are_marked_in_every_panel_and_named_once():
    events = [Event(2, "rate", ""), Event(3, "rate", ""), Event(2, "best", ""), Event(4, "end", "")]
    for axes in narrow_curves_figure(HISTORY, events).axes:
        marks = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
        assert [line.get_xdata()[0] for line in marks] == [1.5, 2.5, 2]
        names = [line.get_label() for line in marks]
        assert names[0] == "learning rate reduced" and names[2] == "best epoch: 2"
        assert names[1].startswith("_")  # matplotlib leaves it out of the legend
