"""The errors of a quantized file, layer by layer, as NumPy finds them; layers kept in floats."""

import keras
import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import convert_bytearray_to_object
from command import run_command

import kcnn
from kcnn.export import export_tflite, layer_errors
from kcnn.litert import TFLiteClassifier
from kcnn.litert.layer_names import float_layers

L = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
SHOWN = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 3)).astype(np.uint8)


def small_model():
    keras.utils.set_random_seed(2)
    options = {"activation": "relu", "bias_initializer": "random_normal"}
    return keras.Sequential(
        [keras.Input((6, 6, 3)), L.Conv2D(4, 3, name="conv", **options)]
        + [L.Conv2D(5, 1, name="middle", **options), L.Flatten(name="flat")]
        + [L.Dense(3, name="logits", bias_initializer="random_normal")]
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model, path = small_model(), tmp_path_factory.mktemp("layers") / "model.tflite"
    export_tflite(model, path, calibration=PIXELS, input_range="0..255")
    return model, path


class Stored:
    """The int8 layers of a file, computed in NumPy."""

    def __init__(self, path):
        model = convert_bytearray_to_object(path.read_bytes())
        graph = model.subgraphs[0]

        def numbers(tensor, dtype):
            content = bytes(model.buffers[tensor.buffer].data)
            return np.frombuffer(content, dtype).reshape(tensor.shape).astype(np.float64)

        self.layers = []
        for operator in graph.operators:
            source, *constants = (graph.tensors[place] for place in operator.inputs)
            target = graph.tensors[operator.outputs[0]]
            steps = [
                (each.quantization.scale[0], each.quantization.zeroPoint[0])
                for each in (source, target)
            ]
            kernel = bias = None
            if len(constants) == 2:  # of a reshape there is one: the shape
                scales = np.asarray(constants[0].quantization.scale)
                kernel, bias = numbers(constants[0], "<i1"), numbers(constants[1], "<i4")
                kernel = kernel * scales.reshape(-1, *[1] * (kernel.ndim - 1))
                bias = bias * scales * steps[0][0]
            self.layers.append((kernel, bias, *steps))

    def rounded(self, values, step):
        scale, zero = step
        return (np.clip(np.rint(values / scale) + zero, -128, 127) - zero) * scale

    def run(self, index, values):
        """Return the real output of a layer for the real numbers that it reads."""
        kernel, bias, source, target = self.layers[index]
        values = self.rounded(values, source)
        return (
            values
            if kernel is None
            else self.rounded(of_floats(kernel, bias, values, index < 2), target)
        )


def of_floats(kernel, bias, values, relu):
    """Return a convolution (kernel OHWI) or a dense layer (kernel [outputs, inputs])."""
    if kernel.ndim == 2:
        return values @ kernel.T + bias
    size = kernel.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(1, 2))
    sums = np.einsum("nyxchw,ohwc->nyxo", windows, kernel) + bias
    return np.maximum(sums, 0) if relu else sums


def decibels(expected, found):
    return 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum())


def test_each_error_is_what_numpy_finds(exported):
    model, path = exported
    stored, found = Stored(path), layer_errors(path, model, SHOWN)
    assert [each.name for each in found.layers] == ["conv", "middle", "flat", "logits"]
    assert found.images == 5 and not found.unmatched
    weights = {name: model.get_layer(name).get_weights() for name in ("conv", "middle", "logits")}
    weights["logits"][0] = weights["logits"][0].T
    for name in ("conv", "middle"):
        weights[name][0] = weights[name][0].transpose(3, 0, 1, 2)
    floats, chained = SHOWN.astype(np.float64), SHOWN.astype(np.float64)
    for index, each in enumerate(found.layers):
        alone, chained = stored.run(index, floats), stored.run(index, chained)
        if each.name == "flat":
            floats, chained, alone = (part.reshape(5, -1) for part in (floats, chained, alone))
        else:
            floats = of_floats(*map(np.float64, weights[each.name]), floats, index < 2)
        assert each.shape == (1, *floats.shape[1:])
        assert each.snr == pytest.approx(decibels(floats, chained), abs=0.1)
        assert each.own_snr == pytest.approx(decibels(floats, alone), abs=0.1)
        error = np.abs(chained - floats).sum() / np.abs(floats).sum()
        assert each.relative_error == pytest.approx(error, rel=0.02)
    by_error = sorted(found.layers, key=lambda each: each.own_snr)
    assert found.worst(2) == tuple(by_error[:2])


def test_a_float_file_has_no_errors(exported, tmp_path):
    model, _ = exported
    export_tflite(model, tmp_path / "floats.tflite", quantization="none")
    found = layer_errors(tmp_path / "floats.tflite", model, SHOWN)
    assert all(each.snr > 100 and each.own_snr > 100 for each in found.layers)


@pytest.mark.parametrize(
    "images, reason",
    [(SHOWN.astype(np.float32), "float32"), (SHOWN[:, :5], "5, 6, 3"), (SHOWN[:0], "0, 6")],
)
def test_other_images_are_refused(images, reason, exported):
    model, path = exported
    with pytest.raises(ValueError, match=f"images must be uint8.*Received: .*{reason}"):
        layer_errors(path, model, images)


def test_another_model_is_refused(exported):
    model = keras.Sequential([keras.Input((6, 6, 3)), L.Flatten(name="a"), L.Dense(4, name="b")])
    with pytest.raises(ValueError, match="no layer in common with model"):
        layer_errors(exported[1], model, SHOWN)


def test_the_command_prints_each_layer(exported, tmp_path, capsys):
    model, path = exported
    file = kcnn.models.save(model, tmp_path / "model.keras")
    images = np.concatenate([PIXELS] * 2)
    data = tmp_path / "data.npz"
    np.savez(data, train_images=images, train_labels=np.arange(80) % 3)
    command = ["inspect", path, "--against", file, "--data", f"arrays:{data}", "--images", 4]
    assert run_command(*command) == 0
    printed = capsys.readouterr().out
    assert "its own, dB" in printed and "middle" in printed and "on 4 images" in printed
    assert run_command("inspect", path, "--images", 4) == 1
    assert "--images belongs to --against MODEL" in capsys.readouterr().err


# Layers that stay in floats


def test_an_excluded_layer_computes_in_floats(exported, tmp_path):
    model, plain = exported
    path = tmp_path / "mixed.tflite"
    result = export_tflite(
        model, path, calibration=PIXELS, input_range="0..255", exclude=["middle"]
    )
    assert result.float_layers == float_layers(path.read_bytes()) == ("middle",)
    assert (result.input.dtype, result.input.scale, result.output.dtype) == ("int8", 1.0, "int8")
    before, after = (
        {each.name: each for each in layer_errors(file, model, SHOWN).layers}
        for file in (plain, path)
    )
    assert after["middle"].own_snr > before["middle"].own_snr + 2
    assert after["conv"].own_snr == pytest.approx(before["conv"].own_snr)
    expected = model(SHOWN.astype(np.float32)).numpy()
    assert np.abs(TFLiteClassifier(path)(SHOWN) - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("name", ["conv", "logits"])
def test_the_first_and_the_last_layer_can_stay_in_floats(name, exported, tmp_path):
    model, _ = exported
    path = tmp_path / "mixed.tflite"
    result = export_tflite(model, path, calibration=PIXELS, input_range="0..255", exclude=[name])
    assert result.float_layers == (name,)
    assert (result.input.dtype, result.output.dtype) == ("int8", "int8")
    expected = model(SHOWN.astype(np.float32)).numpy()
    assert np.abs(TFLiteClassifier(path)(SHOWN) - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"exclude": ["midle"]}, "Unknown layer in exclude 'midle'. Did you mean 'middle'?"),
        ({"exclude": "middle"}, "must be a list of layers' names"),
        ({"exclude": ["middle"], "quantization": "none"}, 'is for quantization="int8"'),
    ],
)
def test_layers_that_cannot_be_excluded_are_named(options, reason, exported, tmp_path):
    model, _ = exported
    with pytest.raises(ValueError, match=reason.replace("?", r"\?")):
        export_tflite(
            model, tmp_path / "mixed.tflite", calibration=PIXELS, input_range="0..255", **options
        )
    assert not list(tmp_path.iterdir())
