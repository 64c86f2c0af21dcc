"""Slices of a grouped convolution become one operator of an int8 file, with the same answers."""

import keras
import numpy as np
import pytest
from old_micro import python_of
from small_models import randomize

import kcnn
from kcnn.export.merge_groups import merge_groups
from kcnn.litert import TFLiteClassifier, read_requirements
from kcnn.litert.tflite_file import summarize_bytes
from kcnn.models import blocks
from kcnn.runtimes import RUNTIMES

L = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)


def classifier(middle):
    """Return a model whose 12 maps of 10 x 10 pixels go through `middle`."""
    image = keras.Input((12, 12, 3))
    x = L.Conv2D(12, 3, activation="relu")(L.Rescaling(1 / 255)(image))
    x = L.GlobalAveragePooling2D()(middle(x))
    return randomize(keras.Model(image, L.Dense(5, name="logits")(x)))


def two_grouped(x):
    """A grouped convolution as AlexNet has it, and one of three groups with strides and no bias."""
    x = blocks.grouped_conv(x, 8, 5, groups=2, name="two", use_bias=True)
    x = L.ReLU()(x)
    x = L.Concatenate()([x, L.Conv2D(4, 1)(x)])
    return blocks.grouped_conv(x, 9, 3, groups=3, name="three", strides=2, padding="valid")


def split(x):
    parts = keras.ops.split(x, 3, axis=-1)
    return L.Concatenate()([L.Conv2D(2, 3, activation="relu6")(part) for part in parts])


def sliced(x):
    return L.Concatenate()([L.Conv2D(4, 3)(x[..., 6 * i : 6 * (i + 1)]) for i in range(2)])


def operators(data, path="model.tflite"):
    return dict(summarize_bytes(data, path).operators)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return the bytes of the model with groups and with slices."""
    folder, model = tmp_path_factory.mktemp("groups"), classifier(two_grouped)
    paths = {keep: folder / f"{keep}.tflite" for keep in (False, True)}
    for keep, path in paths.items():
        kcnn.export_tflite(model, path, calibration=PIXELS, keep_slices=keep)
    return {keep: path.read_bytes() for keep, path in paths.items()}


def test_slices_become_groups_with_the_same_answers(files):
    merged, slices = (operators(files[keep]) for keep in (False, True))
    assert (merged["CONV_2D"], slices["CONV_2D"]) == (4, 7)
    assert merged["CONCATENATION"] == 1  # the model's own
    assert not {"SLICE", "STRIDED_SLICE", "SPLIT"} & {*merged}
    assert len(files[False]) < len(files[True])
    for name in ("litert", "litert-reference"):
        answers = [RUNTIMES[name].run(files[keep], PIXELS).levels for keep in (False, True)]
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("middle", [split, sliced])
def test_slices_of_another_make_are_merged(middle, tmp_path):
    model, path = classifier(middle), tmp_path / "model.tflite"
    kcnn.export_tflite(model, path, calibration=PIXELS)
    assert operators(path.read_bytes())["CONV_2D"] == 2
    answers = model(PIXELS.astype(np.float32)).numpy()
    assert np.abs(TFLiteClassifier(path)(PIXELS) - answers).max() < 0.05 * np.abs(answers).max()


def swapped(x):
    return L.Concatenate()([L.Conv2D(4, 3)(x[..., 6:]), L.Conv2D(4, 3)(x[..., :6])])


def overlapping(x):
    return L.Concatenate()([L.Conv2D(4, 3)(x[..., :8]), L.Conv2D(4, 3)(x[..., 4:])])


def unequal(x):
    return L.Concatenate()([L.Conv2D(4, 3)(x[..., :6]), L.Conv2D(5, 3)(x[..., 6:])])


def of_other_options(x):
    second = L.Conv2D(4, 3, activation="relu")(x[..., 6:])
    return L.Concatenate()([L.Conv2D(4, 3)(x[..., :6]), second])


def read_elsewhere(x):
    first = L.Conv2D(4, 3)(x[..., :6])
    return L.Concatenate()([first, L.Conv2D(4, 3)(x[..., 6:]), L.MaxPooling2D(1)(first)])


def along_rows(x):
    return L.Concatenate(axis=1)([L.Conv2D(4, 3)(x[..., :6]), L.Conv2D(4, 3)(x[..., 6:])])


@pytest.mark.parametrize(
    "middle", [swapped, overlapping, unequal, of_other_options, read_elsewhere, along_rows]
)
def test_other_slices_stay(middle, tmp_path):
    path = tmp_path / "model.tflite"
    kcnn.export_tflite(classifier(middle), path, calibration=PIXELS)
    data = path.read_bytes()
    assert operators(data)["CONV_2D"] == 3
    assert merge_groups(data) == data


def test_a_model_trained_for_int8_has_groups(tmp_path):
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 5, batch_size=10)
    trained = kcnn.quantize_aware(classifier(two_grouped), data, epochs=1, control=False).model
    answers = []
    for keep in (False, True):
        path = tmp_path / f"{keep}.tflite"
        kcnn.export_tflite(trained, path, keep_slices=keep)
        answers.append(TFLiteClassifier(path)(PIXELS))
        assert operators(path.read_bytes())["CONV_2D"] == (7 if keep else 4)
    np.testing.assert_array_equal(*answers)


def test_what_runs_groups_is_known(files):
    groups, slices = (read_requirements(files[keep]) for keep in (False, True))
    assert (groups.tensorflow_lite, groups.micro) == ("2.9.0", "2024-05-07")
    assert {*groups.refused_by} == {"ESP-NN"} and not slices.refused_by
    assert slices.tensorflow_lite < "2.9.0"


@pytest.mark.parametrize("date", ["2024-05", "today"])
def test_tflite_micro_runs_groups(files, date, monkeypatch):
    if date != "today":
        if not python_of(date).exists():
            pytest.skip("python -m tests.old_micro installs it")
        monkeypatch.setenv("KCNN_TFLITE_MICRO_PYTHON", str(python_of(date)))
    if reason := RUNTIMES["tflite-micro"].available():
        pytest.skip(reason)
    found = RUNTIMES["tflite-micro"].run(files[False], PIXELS[:8]).levels
    expected = RUNTIMES["litert-reference"].run(files[False], PIXELS[:8]).levels
    assert np.abs(found - expected).max() <= 1


def test_options_of_int8_are_refused_for_floats(tmp_path):
    for option in ("keep_slices", "dense_per_channel"):
        with pytest.raises(ValueError, match=f"{option}=True changes int8 files only"):
            kcnn.export_tflite(
                classifier(split), tmp_path / "m.tflite", quantization="none", **{option: True}
            )
