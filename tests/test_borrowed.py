"""Bases from keras.applications in a recipe: built, prepared, or refused in one line."""

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from kcnn.data import load
from kcnn.pipeline import setup
from kcnn.recipe import Data, Recipe, override


@pytest.fixture(scope="module")
def digits():
    return load("digits", limit=60, batch_size=20)


def recipe(base):
    section = f'transfer={{"base": "{base}"}}'
    return override(Recipe(data=Data(name="digits", limit=60)), [section])


def test_a_network_of_keras_becomes_the_base(digits, tmp_path, monkeypatch):
    applications = keras.applications
    base = applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    base.save_weights(tmp_path / "of_imagenet.weights.h5")
    given = str(tmp_path / "of_imagenet.weights.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: given)  # instead of a download
    model = setup.build(recipe("keras:MobileNetV2"), digits)
    assert model.output_shape == (None, 10)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    features = keras.Model(model.inputs[0], model.get_layer("head_pool").input)
    prepared = applications.mobilenet_v2.preprocess_input(pixels.copy())
    expected = np.asarray(base(prepared, training=False))
    np.testing.assert_allclose(features(pixels, training=False), expected, atol=1e-4)
    assert [weight.path for weight in model.trainable_weights] == ["logits/kernel", "logits/bias"]


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (
            "keras:MobileNetV4",
            ValueError,
            "Unknown network of keras.applications 'MobileNetV4'. Did",
        ),
        ("keras:Xception", ValueError, r"keras:Xception cannot be built for \(32, 32, 3\): "),
        ("keras:MobileNetV2", RuntimeError, "cannot be downloaded.*transfer.base=base.keras"),
    ],
)
def test_what_is_not_there_is_said(digits, base, error, message, monkeypatch):
    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(file_utils, "get_file", refuse)
    with pytest.raises(error, match=message) as caught:
        setup.build(recipe(base), digits)
    assert "\n" not in str(caught.value)
