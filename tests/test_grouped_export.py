"""Grouped convolutions in int8 files: slices with fused ReLUs, and what runs Keras's own."""

import keras
import numpy as np
import pytest
from old_micro import run_of
from small_models import randomize

import kcnn
from kcnn.litert import TFLiteClassifier, read_requirements
from kcnn.litert.tflite_file import summarize_bytes
from kcnn.models import blocks
from kcnn.models.relu_first import relu_first
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
    x = L.ReLU()(blocks.grouped_conv(x, 8, 5, groups=2, name="two", use_bias=True))
    x = L.Concatenate()([x, L.Conv2D(4, 1)(x)])
    x = blocks.grouped_conv(x, 9, 3, groups=3, name="three", strides=2, padding="valid")
    return L.Activation("relu6")(x)


def groups_of_keras(x):
    return L.Conv2D(8, 3, groups=2, activation="relu")(x)


def operators(path):
    return dict(summarize_bytes(path.read_bytes(), path).operators)


def exported(model, path):
    kcnn.export_tflite(model, path, calibration=PIXELS)
    return path.read_bytes()


def test_a_relu_moves_before_the_concatenation_that_it_alone_reads():
    model = classifier(two_grouped)
    moved = relu_first(model)
    images = PIXELS.astype(np.float32)
    np.testing.assert_array_equal(moved(images), model(images))
    kinds = [type(layer).__name__ for layer in moved.layers]
    assert kinds.count("ReLU") == 2 and kinds.count("Activation") == 3

    def read_twice(x):
        joined = L.Concatenate()([x, L.Conv2D(4, 1)(x)])
        return L.Add()([L.ReLU()(joined), joined])

    for other in (read_twice, lambda x: L.LeakyReLU()(L.Concatenate()([x, x])), lambda x: x):
        same = classifier(other)
        assert relu_first(same) is same


def test_slices_have_their_relus_fused(tmp_path):
    model, path = classifier(two_grouped), tmp_path / "model.tflite"
    data = exported(model, path)
    used = operators(path)
    assert used["CONV_2D"] == 7 and not {"RELU", "RELU6"} & {*used}
    answers = model(PIXELS.astype(np.float32)).numpy()
    assert np.abs(TFLiteClassifier(path)(PIXELS) - answers).max() < 0.05 * np.abs(answers).max()
    needs = read_requirements(data)  # every kernel of a chip knows slices
    assert needs.tensorflow_lite < "2.9.0" and not needs.refused_by


def test_slices_of_a_model_trained_for_int8_have_their_relus_fused(tmp_path):
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 5, batch_size=10)
    trained = kcnn.quantize_aware(classifier(two_grouped), data, epochs=1, control=False).model
    path = tmp_path / "model.tflite"
    step = kcnn.export_tflite(trained, path).output.scale
    assert not {"RELU", "RELU6"} & {*operators(path)}
    answers = trained(PIXELS.astype(np.float32)).numpy()
    assert np.abs(TFLiteClassifier(path)(PIXELS) - answers).max() <= 2 * step


def test_what_runs_groups_of_keras_is_known(tmp_path):
    needs = read_requirements(exported(classifier(groups_of_keras), tmp_path / "model.tflite"))
    assert (needs.tensorflow_lite, needs.micro) == ("2.9.0", "2024-05-07")
    assert {*needs.refused_by} == {"ESP-NN"}


@pytest.mark.parametrize("date", ["2024-05", "today"])
def test_tflite_micro_runs_groups_of_keras(date, tmp_path):
    run = run_of(date)
    data = exported(classifier(groups_of_keras), tmp_path / "model.tflite")
    runs = (each(data, PIXELS[:8]) for each in (run, RUNTIMES["litert-reference"].run))
    found, expected = (each.levels.astype(int) for each in runs)
    assert np.abs(found - expected).max() <= 1


def test_an_option_of_int8_is_refused_for_floats(tmp_path):
    with pytest.raises(ValueError, match="dense_per_channel=True has no effect"):
        kcnn.export_tflite(
            classifier(groups_of_keras),
            tmp_path / "model.tflite",
            quantization="none",
            dense_per_channel=True,
        )
