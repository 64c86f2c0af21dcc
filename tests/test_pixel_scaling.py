"""Models that were trained on pixels which their program scaled: said, warned of, folded, read."""

import keras
import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)

from kcnn.evaluation import evaluate
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.models import take_raw_pixels
from kcnn.pixel_scaling import NAMED, read_scaling

layers = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
RANGES = {
    "0..1": lambda x: x / 255,
    "-1..1": lambda x: x / 127.5 - 1,
    "120,110,100,60,70,50": lambda x: (x - [120, 110, 100]) / [60, 70, 50],
    ((125.3,), 63.0): lambda x: (x - 125.3) / 63,
}


def network(batch_norm=False, scale=lambda x: x):
    """A network with a padded convolution; its batch norm has seen pixels scaled like this."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(6, 3, padding="same", name="conv")]
        + [layers.BatchNormalization(momentum=0.0)] * batch_norm
        + [layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(4)]
    )
    if batch_norm:
        model(scale(PIXELS.astype(np.float32)), training=True)
    return model


@pytest.mark.parametrize("given", RANGES)
def test_the_scaling_is_folded_and_the_file_takes_raw_pixels(given, tmp_path):
    model, scaled = network(), RANGES[given](PIXELS.astype(np.float64)).astype(np.float32)
    expected = model(scaled).numpy()
    path = tmp_path / "model.tflite"
    export_tflite(model, path, quantization="none", input_range=given)
    np.testing.assert_allclose(TFLiteClassifier(path)(PIXELS), expected, rtol=1e-4, atol=1e-5)
    export_tflite(model, path, calibration=PIXELS, input_range=given)
    image = summarize(path).inputs[0]
    assert (image.scale, image.zero_point) == (1.0, -128)
    assert not {"MUL", "ADD", "SUB"} & set(summarize(path).operators)
    error = np.abs(TFLiteClassifier(path)(PIXELS) - expected)
    assert error.max() < 0.03 * np.abs(expected).max()


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("given", RANGES)
def test_a_model_that_was_trained_on_scaled_pixels_is_warned_of(
    batch_norm, given, tmp_path, caplog
):
    model = network(batch_norm, RANGES[given])
    export_tflite(model, tmp_path / "model.tflite", calibration=PIXELS)
    (warning,) = [each for each in caplog.messages if "input_range" in each]
    assert ("about" in warning) == batch_norm
    caplog.clear()
    export_tflite(model, tmp_path / "model.tflite", calibration=PIXELS, input_range=given)
    assert not caplog.messages


def test_nothing_is_said_of_a_model_of_raw_pixels(tmp_path, caplog):
    path = tmp_path / "model.tflite"
    export_tflite(network(batch_norm=True), path, calibration=PIXELS)
    export_tflite(network(), path, calibration=PIXELS, input_range="0..255")
    own = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), *network().layers])
    export_tflite(own, path, calibration=PIXELS)
    assert not caplog.messages
    with pytest.raises(ValueError, match="scales them itself: leave input_range out"):
        take_raw_pixels(own, "0..1")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("0-1", "must be '0..255'"),
        ("1,2,3", "must be '0..255'"),
        ("125,0", "must be '0..255'"),
        ("125,nan", "must be '0..255'"),
        (3, "must be '0..255'"),
        ("0.485,0.456,0.406,0.229,0.224,0.225", r"write '123.7,116.3,103.5,58.4,57.12,57.38'"),
        ("120,110,60,50", "each of the 3 channels"),
    ],
)
def test_what_is_no_range_is_refused(given, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        take_raw_pixels(network(), given)
    assert "\n" not in str(caught.value)


def with_input(path, scale, zero_point):
    """Give a file another input scale, as a program has that calibrates on scaled pixels."""
    model = convert_bytearray_to_object(path.read_bytes())
    graph = model.subgraphs[0]
    for place in (graph.inputs[0], graph.operators[0].outputs[0]):
        ranges = graph.tensors[place].quantization
        if place == graph.inputs[0]:
            ranges.scale, ranges.zeroPoint = [scale], [zero_point]
    path.write_bytes(bytes(convert_object_to_bytearray(model)))


@pytest.mark.parametrize(
    ("scale", "zero_point", "stored"),
    [
        (1 / 255, -128, [-128, 0, 127]),
        (0.98 / 255, -128, [-128, 3, 127]),
        (2 / 255, -1, [-128, -1, 127]),
        (1.0, -128, [-128, 0, 127]),
    ],
)
def test_a_file_for_scaled_pixels_is_read_as_what_it_is(scale, zero_point, stored, tmp_path):
    from kcnn.litert.loaded import stored_pixels
    from kcnn.litert.tflite_file import TensorSummary

    source = TensorSummary("image", "int8", (1, 8, 8, 3), scale, zero_point)
    assert stored_pixels(tmp_path, source)[[0, 128, 255]].tolist() == stored


def test_a_file_whose_range_tells_nothing_needs_it_said(tmp_path):
    path = tmp_path / "model.tflite"
    export_tflite(network(), path, calibration=PIXELS, input_range="0..255")
    with_input(path, 4.7 / 255, -15)
    with pytest.raises(ValueError, match=r"from -2.08 to 2.62.*input_range='mean,std'"):
        TFLiteClassifier(path)
    classifier = TFLiteClassifier(path, input_range="120,110,100,60,70,50")
    assert evaluate(classifier, (PIXELS, np.arange(40) % 4)).count == 40
    white = np.full((8, 8, 3), 255, np.uint8)
    wanted = read_scaling("120,110,100,60,70,50")(np.full((1, 3), 255))[0] * 255 / 4.7 - 15
    stored = classifier._model._stored(white)
    assert stored[0, 0].tolist() == np.clip(np.round(wanted), -128, 127).tolist()


def test_the_names_are_what_they_say():
    ends = {name: scaling(np.array([[0.0], [255.0]])).ravel() for name, scaling in NAMED.items()}
    assert {name: f"{low:g}..{high:g}" for name, (low, high) in ends.items()} == {
        name: name for name in NAMED
    }
