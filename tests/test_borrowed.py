"""Bases from keras.applications in a recipe: built, prepared, or refused in one line."""

import sys
from types import SimpleNamespace

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


def test_a_base_for_any_size_becomes_one_for_the_data(digits, tmp_path):
    conv = keras.layers.Conv2D(4, 3, name="conv")
    base = keras.Sequential([keras.Input((None, None, 3)), conv], name="any")
    base.save(tmp_path / "any.keras")
    model = setup.build(recipe(tmp_path / "any.keras"), digits)
    assert model.get_layer("conv").output.shape == (None, 30, 30, 4)  # export counts them
    np.testing.assert_array_equal(model.get_layer("conv").kernel, conv.kernel)
    assert not model.get_layer("conv").trainable


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


# KerasHub, which is no dependency: a preset is what its version 0.32 makes of a folder.


def hub_of(backbone, *, scale=None, offset=None, error=None):
    """Return a module with the two classes of KerasHub that are used."""

    def from_preset(result):
        def load(preset, **_):
            if error:
                raise error
            return result

        return load

    converter = SimpleNamespace(scale=scale, offset=offset)
    return SimpleNamespace(
        models=SimpleNamespace(
            Backbone=SimpleNamespace(
                from_preset=from_preset(backbone), presets={"resnet_18_imagenet": {}}
            )
        ),
        layers=SimpleNamespace(ImageConverter=SimpleNamespace(from_preset=from_preset(converter))),
    )


def body(*layers):
    image = x = keras.Input((32, 32, 3))
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x, name="body")


CONV = keras.layers.Conv2D


@pytest.mark.parametrize("scale", [1 / 255, [0.01, 0.02, 0.03], None])
def test_a_preset_of_keras_hub_becomes_the_base(digits, monkeypatch, scale):
    offset = None if scale is None else [-0.5, -0.4, -0.3]
    backbone = body(CONV(4, 3, activation="relu", name="conv"))
    monkeypatch.setitem(sys.modules, "keras_hub", hub_of(backbone, scale=scale, offset=offset))
    model = setup.build(recipe("keras_hub:resnet_18_imagenet"), digits)
    features = keras.Model(model.inputs[0], model.get_layer("head_pool").input)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    converted = pixels if scale is None else pixels * np.array(scale) + np.array(offset)
    expected = backbone(converted.astype("float32"))
    np.testing.assert_allclose(features(pixels), expected, rtol=1e-4, atol=1e-4)
    assert [weight.path for weight in model.trainable_weights] == ["logits/kernel", "logits/bias"]


@pytest.mark.parametrize(
    ("hub", "preset", "error", "message"),
    [
        (None, "resnet_18_imagenet", ValueError, r"not installed: pip install 'kcnn\[hub\]'"),
        (hub_of(None), "resnet_18_imagnet", ValueError, "Did you mean 'resnet_18_imagenet'"),
        (
            hub_of(None, error=OSError("no network")),
            "resnet_18_imagenet",
            RuntimeError,
            r"cannot be downloaded \(no network\)\. .*transfer.base=keras_hub:FOLDER",
        ),
        (
            hub_of(body(keras.layers.Flatten())),
            "hf://user/tokens",
            ValueError,
            "does not end in feature maps",
        ),
    ],
)
def test_what_keras_hub_cannot_give_is_said(digits, monkeypatch, hub, preset, error, message):
    monkeypatch.setitem(sys.modules, "keras_hub", hub)
    with pytest.raises(error, match=message) as caught:
        setup.build(recipe(f"keras_hub:{preset}"), digits)
    assert "\n" not in str(caught.value)
