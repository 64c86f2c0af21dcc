"""What a notebook shows of results: pictures and tables, by IPython's own formatter."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import kcnn
from kcnn.bundle import Manifest
from kcnn.bundle.manifest import Golden
from kcnn.bundle.result import Result, Verification
from kcnn.evaluation.score import score_logits
from kcnn.explain import Heatmaps, edge_response, plot_edge_response
from kcnn.litert import TensorSummary
from kcnn.notebook import html_table
from kcnn.prediction import Predictions
from kcnn.training import LearningRateCurve, TrainResult

PNG = b"\x89PNG"
NOISE = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)


def shown(result):
    """Return what a notebook without `%matplotlib inline` gets: content by kind."""
    return DisplayFormatter().format(result)[0]


def small():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ],
        name="small",
    )


@pytest.mark.parametrize("what", ["heat maps", "filters", "feature maps", "figure"])
def test_pictures_are_shown_as_pictures(what):
    model = small()
    result = {
        "heat maps": lambda: kcnn.grad_cam(model, NOISE),
        "filters": lambda: kcnn.explain.filters(model),
        "feature maps": lambda: kcnn.explain.feature_maps(model, NOISE),
        "figure": lambda: plot_edge_response(NOISE[0]),
    }[what]()
    assert edge_response(NOISE[0]).shape == (6, 6)
    assert shown(result)["image/png"].startswith(PNG)


def test_heat_maps_remember_their_images():
    heatmaps = kcnn.grad_cam(small(), NOISE)
    with_images = [axes.images[0].get_array() for axes in heatmaps.plot().axes if axes.images][:2]
    passed = [axes.images[0].get_array() for axes in heatmaps.plot(NOISE).axes if axes.images][:2]
    np.testing.assert_array_equal(with_images, passed)
    alone = Heatmaps(heatmaps.raw, heatmaps.class_index, heatmaps.score, "conv")
    assert set(shown(alone)) == {"text/plain"}
    with pytest.raises(ValueError, match="pass images="):
        alone.plot()


TENSOR = TensorSummary(name="in", shape=(1, 8, 8, 3), dtype="int8", scale=1.0, zero_point=-128)
MANIFEST = Manifest(
    name="small",
    model="model_int8.tflite",
    source="model.keras",
    input=TENSOR,
    output=TENSOR,
    labels=("cat", "<dog>"),
    golden=Golden("golden.u8", "golden.i8", 10),
    test_accuracy=0.9,
    test_images=1000,
    sha256={"model_int8.tflite": "0123456789abcdef"},
    versions={},
    machine="x86_64",
    created="today",
)

TABLES = {
    "evaluation": (
        lambda: score_logits(np.eye(3)[[0, 1, 1]], np.array([0, 1, 0])),
        ("66.67%", "50.00%", "100.00%", ">-<"),
    ),
    "predictions": (
        lambda: Predictions(
            images=NOISE[:1],
            probabilities=np.array([[0.25, 0.75]]),
            class_names=("cat", "<dog>"),
            sources=("pet.jpg",),
        ),
        ("<img src=", "pet.jpg", "&lt;dog&gt; 75.0%", "cat 25.0%"),
    ),
    "training": (
        lambda: TrainResult(
            small(), {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}, 2, 3.0, "epochs"
        ),
        ("training of small", "best epoch", "1.5"),
    ),
    "rates": (
        lambda: LearningRateCurve(np.array([0.1, 1.0]), np.ones(2), np.ones(2), 0.01),
        ("suggestion", "0.01"),
    ),
    "bundle": (lambda: MANIFEST, ("small: a bundle", "&lt;dog&gt;", "90.00% of 1,000", "01234567")),
    "verification": (
        lambda: Verification(
            MANIFEST,
            (
                Result("litert", "LiteRT", golden_equal=10, milliseconds_per_image=0.5),
                Result("web", "LiteRT.js", skipped="no browser"),
            ),
        ),
        ("10 of 10", "0.500", "skipped LiteRT.js: no browser"),
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_numbers_are_shown_as_tables(what):
    make, words = TABLES[what]
    html = shown(make())["text/html"]
    assert html.count("<tr>") == html.count("</tr>") > 0
    for word in words:
        assert word in html, html


def test_what_others_wrote_is_text_in_a_table():
    assert "<b>" not in html_table(["<b>"], [["<b>"]], title="<b>", note="<b>")


def test_a_plain_fit_warns_of_nothing():
    code = Path(__file__).with_name("plain_fit.py")
    done = subprocess.run([sys.executable, code], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "Warning" not in done.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("call", ["prune", "evaluate", "nothing to see"])
def test_long_calls_show_a_bar_where_one_can_be_seen(call, monkeypatch):
    data = kcnn.data.load("digits", limit=60, batch_size=20)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10))
    stdout = io.StringIO() if call == "nothing to see" else Terminal()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(logging.getLogger("kcnn"), "level", logging.WARNING)
    if call == "prune":
        kcnn.prune(model, data, sparsity=0.5, epochs=1)
        assert "pruning: epoch 1/1" in stdout.getvalue() and "2/2" in stdout.getvalue()
    else:
        kcnn.evaluate(model, data.test)
        shown = "scoring images\n" in stdout.getvalue() and "3/3" in stdout.getvalue()
        assert shown if call == "evaluate" else stdout.getvalue() == ""
