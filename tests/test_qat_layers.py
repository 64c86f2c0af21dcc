"""The layers of quantization-aware training in files: older ones load, new ones are equal."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kcnn import models
from kcnn.layers import (
    FakeQuantize,
    QuantizeAwareConv2D,
    QuantizeAwareDense,
    QuantizeAwareDepthwiseConv2D,
    QuantizeAwareLocalResponseNormalization,
    QuantizeAwarePartiallyConnectedConv2D,
)

SAVED = Path(__file__).parent.parent / "saved_models"
# What a file of an older kcnn calls them: class, and the module that it was defined in.
IN_FILES = {
    "kcnn>FakeQuantize": (FakeQuantize(), "kcnn.layers.fake_quantize"),
    "kcnn>QuantizeAwareConv2D": (QuantizeAwareConv2D(2, 3), "kcnn.layers.quantize_aware"),
    "kcnn>QuantizeAwareDense": (QuantizeAwareDense(2), "kcnn.layers.quantize_aware"),
    "kcnn>QuantizeAwareDepthwiseConv2D": (
        QuantizeAwareDepthwiseConv2D(3),
        "kcnn.layers.quantize_aware",
    ),
    "kcnn>QuantizeAwareLocalResponseNormalization": (
        QuantizeAwareLocalResponseNormalization(),
        "kcnn.layers.quantize_aware",
    ),
    "kcnn>QuantizeAwarePartiallyConnectedConv2D": (
        QuantizeAwarePartiallyConnectedConv2D([(0,), (0, 1)], 3),
        "kcnn.layers.quantize_aware",
    ),
}


@pytest.mark.parametrize("registered", IN_FILES)
def test_a_layer_is_found_under_the_name_that_older_files_have(registered):
    layer, module = IN_FILES[registered]
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == registered
    loaded = keras.saving.deserialize_keras_object(config | {"module": module})
    assert type(loaded) is type(layer)
    assert loaded.get_config() == layer.get_config()


def test_a_model_comes_back_from_its_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            FakeQuantize((0.0, 255.0)),
            QuantizeAwareConv2D(4, 3, input_scale=[0.5, 2.0], name="conv"),
            FakeQuantize(name="learned"),
            QuantizeAwareLocalResponseNormalization(name="lrn"),
            QuantizeAwareDepthwiseConv2D(3, name="depthwise"),
            QuantizeAwarePartiallyConnectedConv2D([(0, 1), (2, 3)], 3, name="partial"),
            keras.layers.Flatten(),
            QuantizeAwareDense(3, name="dense"),
        ]
    )
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 2)).astype("float32")
    model(images, training=True)  # learns bounds
    path = models.save(model, tmp_path / "qat.keras")
    loaded = models.load(path)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize(
    "file", sorted(SAVED.glob("*/model_quantize_aware.keras")), ids=lambda file: file.parent.name
)
def test_a_committed_model_loads(file):
    model = models.load(file)
    assert any(isinstance(layer, QuantizeAwareConv2D) for layer in model.layers)
    assert model(np.zeros((1, *model.input_shape[1:]), "float32")).shape == (1, 10)
