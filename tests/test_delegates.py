"""The delegates that `kcnn inspect` and bundles name: XNNPACK's, as LiteRT itself decides."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from kcnn.export import export_tflite
from kcnn.export.modes import QUANTIZATIONS
from kcnn.litert import read_requirements

layers = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_xnnpack_takes_what_it_is_said_to_take(quantization, tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255)]
        + [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(32, 3, activation="relu")]
        + [layers.GlobalAveragePooling2D(), layers.Dense(4)]
    )
    calibration = PIXELS if QUANTIZATIONS[quantization].calibrated else None
    path = tmp_path / "model.tflite"
    export_tflite(model, path, quantization=quantization, calibration=calibration)
    needs = read_requirements(path.read_bytes())
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    taken = any(each["op_name"] == "DELEGATE" for each in interpreter._get_ops_details())
    assert taken == ("XNNPACK" in needs.delegates)
    assert ("Core ML" in needs.delegates) == (quantization in ("none", "float16"))
    assert ("that take its dtypes: none" in "".join(needs.lines())) == (not needs.delegates)
