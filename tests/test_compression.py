"""TFLite Micro's compression: the tables that its operator DECODE reads as they were written."""

import keras
import numpy as np
import pytest

from kcnn.export import export_tflite
from kcnn.runtimes import compress
from kcnn.runtimes.installation import missing_micro

layers = keras.layers
VALUES = np.linspace(-1, 1, 8)

pytestmark = pytest.mark.skipif(bool(missing_micro()), reason="TFLite Micro is not installed")


@pytest.mark.parametrize("kind", ["one scale", "equal channels", "own values"])
def test_kernels_of_eight_values_answer_as_before(kind, tmp_path):
    """Equal channels would fit one table in all, which DECODE does not read where scales differ."""
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    convolution = [layers.Conv2D(64, 3, name="wide"), layers.GlobalAveragePooling2D()]
    dense = [layers.Flatten(), layers.Dense(64, name="wide")]
    body = dense if kind == "one scale" else [layers.Conv2D(32, 3, activation="relu"), *convolution]
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), layers.Rescaling(1 / 255), *body, layers.ReLU(), layers.Dense(5)]
    )
    kernel, bias = model.get_layer("wide").get_weights()
    kernel = VALUES[random.integers(0, 8, kernel.shape)]
    if kind == "equal channels":
        kernel = kernel * random.uniform(0.5, 2, kernel.shape[-1])
    if kind == "own values":
        kernel = kernel ** random.integers(1, 9, kernel.shape[-1])
    model.get_layer("wide").set_weights([kernel, bias])
    pixels = random.integers(0, 256, (40, 12, 12, 3), np.uint8)
    path = tmp_path / "model.tflite"
    export_tflite(model, path, calibration=pixels)
    found = compress(path.read_bytes(), pixels[:10])
    assert found.tensors >= 1 and found.images == 10
