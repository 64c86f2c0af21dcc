"""Heat maps from the exported file: the second output, its weights, and what they add up to."""

import zipfile
from collections import Counter

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from small_models import flatten_model, gap_model, images, randomize, stem

import kcnn
from kcnn.cli.export import export as command
from kcnn.explain import tflite_cam
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.litert.loaded import LoadedModel

LAYERS = keras.layers
BATCH = images(6)
LABELS = tuple("abcde")


@pytest.fixture(scope="module")
def model():
    return gap_model(LAYERS.Dropout(0.5), LAYERS.Dense(5, name="logits"))


@pytest.fixture(scope="module")
def export(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")

    def exported(mode, feature_map, io=None):
        path = folder / f"{mode}_{feature_map}_{io}.tflite"
        if not path.exists():
            export_tflite(
                model,
                path,
                quantization=mode,
                calibration=images(32, seed=1),
                labels=LABELS,
                feature_map=feature_map,
                io=io,
            )
        return path

    return exported


@pytest.mark.parametrize(
    ("mode", "io"),
    [("none", None), ("float16", None), ("dynamic", None), ("int8", None), ("int8", "uint8")],
)
def test_the_logits_do_not_know_of_the_second_output(model, export, mode, io):
    plain, more = (TFLiteClassifier(export(mode, each, io)) for each in (False, True))
    assert plain.feature_map_shape is None and plain.class_weights is None
    assert more.feature_map_shape == (12, 12, 6) and more.labels == plain.labels == LABELS
    np.testing.assert_array_equal(more(BATCH), plain(BATCH))
    np.testing.assert_array_equal(more.with_feature_maps(BATCH)[0], plain(BATCH))
    first, second = (summarize(each.path) for each in (plain, more))
    assert first.quantization == second.quantization
    added = Counter(QUANTIZE=1) if io == "uint8" else Counter()  # of the map, to uint8
    assert Counter(second.operators) - Counter(first.operators) == added
    assert [tensor.name for tensor in second.outputs] == ["logits", "feature_map"]
    kernel = model.get_layer("logits").kernel.numpy()
    np.testing.assert_allclose(more.class_weights, kernel, atol=np.abs(kernel).max() / 127)


@pytest.mark.parametrize(("mode", "io"), [("int8", "uint8"), ("int8", "float32")])
def test_the_map_has_the_dtype_of_the_logits_and_the_same_numbers(export, mode, io):
    """MediaPipe takes no int8 beside uint8."""
    plain, other = (TFLiteClassifier(export(mode, True, each)) for each in (None, io))
    assert [tensor.dtype for tensor in summarize(other.path).outputs] == [io, io]
    maps = [each.with_feature_maps(BATCH)[1] for each in (plain, other)]
    np.testing.assert_array_equal(*maps)


def test_a_float_file_shows_what_keras_shows(model, export):
    expected = kcnn.grad_cam(model, BATCH, method="cam")
    for path in (export("none", True), export("none", False)):
        received = tflite_cam(path, BATCH)
        np.testing.assert_array_equal(received.class_index, expected.class_index)
        np.testing.assert_allclose(received.score, expected.score, rtol=1e-5, atol=1e-5)
        atol = 1e-5 * expected.raw.max(axis=(1, 2)).min()
        np.testing.assert_allclose(received.raw, expected.raw, rtol=1e-5, atol=atol)
    assert received.raw.dtype == np.float32 and received.method == "cam"


@pytest.mark.parametrize("classes", [2, (1, 3), [4, 3, 2, 1, 0, 0]])
def test_any_class_and_why_one_rather_than_another(model, export, classes):
    expected = kcnn.grad_cam(model, BATCH, classes, method="cam")
    received = tflite_cam(export("none", False), BATCH, classes)
    np.testing.assert_array_equal(received.class_index, expected.class_index)
    np.testing.assert_allclose(received.score, expected.score, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(received.raw, expected.raw, rtol=1e-4, atol=1e-5)


def test_an_int8_file_shows_nearly_the_same(model, export):
    expected = kcnn.grad_cam(model, BATCH)
    received = tflite_cam(export("int8", True), BATCH, expected.class_index)
    for seen, wanted in zip(received.raw, expected.raw, strict=True):
        assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.99
    assert not np.array_equal(received.raw, expected.raw)


def test_an_app_needs_the_file_alone(model, export):
    """As a phone developer reads it: LiteRT's signature, the archive, one matrix product."""
    path = export("int8", True)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["class_weights.bin", "labels.txt"]
        weights = np.frombuffer(archive.read("class_weights.bin"), "<f4").reshape(6, 5)
    interpreter = Interpreter(model_content=path.read_bytes())
    run = interpreter.get_signature_runner("serving_default")
    answer = run(image=(BATCH[:1].astype(int) - 128).astype(np.int8))
    scale, zero = run.get_output_details()["feature_map"]["quantization"]
    feature_map = scale * (answer["feature_map"][0].astype(np.float32) - zero)
    heat = np.maximum(feature_map @ weights[:, 3], 0) / (12 * 12)
    np.testing.assert_allclose(heat, tflite_cam(path, BATCH[:1], 3).raw[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["none", "int8"])
def test_the_map_adds_up_to_the_logit(model, export, mode):
    classifier = TFLiteClassifier(export(mode, True))
    logits, features = classifier.with_feature_maps(BATCH)
    bias = model.get_layer("logits").bias.numpy()
    total = (features @ classifier.class_weights).mean(axis=(1, 2)) + bias
    # In int8 the mean and the logits are rounded to steps of their scales.
    step = 1e-5 if mode == "none" else 3 * summarize(classifier.path).outputs[0].scale
    np.testing.assert_allclose(total, logits, atol=step)


def test_a_network_in_network_head_is_its_own_class_map(tmp_path):
    last = [LAYERS.Conv2D(4, 1, name="maps"), LAYERS.GlobalAveragePooling2D()]
    model = randomize(keras.Sequential([keras.Input((12, 12, 3)), *stem(), *last]))
    export_tflite(model, tmp_path / "nin.tflite", quantization="none", feature_map=True)
    classifier = TFLiteClassifier(tmp_path / "nin.tflite")
    np.testing.assert_array_equal(classifier.class_weights, np.eye(4))
    expected = kcnn.grad_cam(model, BATCH, method="cam").raw
    received = tflite_cam(classifier.path, BATCH).raw
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "end"),
    [
        (flatten_model, "FULLY_CONNECTED, FULLY_CONNECTED"),
        (lambda: gap_model(LAYERS.Dense(3, activation="softmax")), "SOFTMAX"),
        (lambda: gap_model(LAYERS.Dense(3, activation="relu")), "FULLY_CONNECTED"),
    ],
)
def test_another_head_is_refused_in_one_line(tmp_path, build, end):
    path = tmp_path / "model.tflite"
    with pytest.raises(ValueError, match=f"model.tflite ends in {end}") as error:
        export_tflite(build(), path, quantization="none", feature_map=True)
    assert "\n" not in str(error.value) and not path.exists()


def test_the_command_gives_the_map_out_where_it_is_asked_to(model, tmp_path):
    model.save(tmp_path / "model.keras")
    for name, asked in (("plain", False), ("more", True)):
        file = tmp_path / f"{name}.tflite"
        command(tmp_path / "model.keras", file, quantization="none", feature_map=asked)
        assert (TFLiteClassifier(file).feature_map_shape == (12, 12, 6)) == asked


def test_a_file_that_lost_its_archive_is_as_good_as_a_plain_one(export, tmp_path):
    data = export("none", True).read_bytes()
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(data[: data.index(b"PK\x03\x04")])
    received, expected = tflite_cam(bare, BATCH), tflite_cam(export("none", True), BATCH)
    np.testing.assert_array_equal(received.raw, expected.raw)
    model = LoadedModel(bare.read_bytes(), bare, feature_map=True)
    assert len(model.summary.outputs) == 2


def test_weights_that_cannot_be_read_are_said_to_be_of_which_file(export, tmp_path):
    data = bytearray(export("none", True).read_bytes())
    start = data.index(b"class_weights.bin") + len("class_weights.bin")
    data[start] ^= 1  # the archive's checksum no longer fits
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(data)
    with pytest.raises(ValueError, match="broken.tflite is damaged.*class_weights.bin") as error:
        TFLiteClassifier(broken, feature_map=True)
    assert "\n" not in str(error.value)


def test_a_plain_file_and_a_cut_one_say_what_they_lack(export, tmp_path):
    with pytest.raises(ValueError, match="feature_map=True"):
        TFLiteClassifier(export("none", False)).with_feature_maps(BATCH)
    data = export("none", True).read_bytes()
    archive = data.index(b"PK\x03\x04")
    for part in (data[:archive], data[:-30]):
        cut = tmp_path / "cut.tflite"
        cut.write_bytes(part)
        with pytest.raises(
            ValueError, match="cut.tflite is damaged.*(labels.txt|class_weights.bin)"
        ):
            TFLiteClassifier(cut)
