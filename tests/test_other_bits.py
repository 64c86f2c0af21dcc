"""Files with other numbers than int8: kernels of 4 bits, activations of 16."""

import keras
import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import convert_bytearray_to_object
from old_micro import run_of

import kcnn
from kcnn.export import export_tflite, layer_errors
from kcnn.litert import TFLiteClassifier, read_requirements, summarize
from kcnn.litert.schema import operator_name
from kcnn.runtimes import RUNTIMES

L = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)


def model_of(dense=6):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Rescaling(1 / 255),
            L.Conv2D(6, 3, name="first"),
            L.BatchNormalization(),
        ]
        + [L.ReLU(), L.DepthwiseConv2D(3, padding="same", name="depth"), L.ReLU()]
        + [
            L.Conv2D(7, 3, name="between", bias_initializer="ones"),
            L.BatchNormalization(),
            L.ReLU(name="last_relu"),
        ]
        + [L.Flatten(), L.Dense(dense, activation="relu", name="dense"), L.Dense(5, name="logits")]
    )


def kernels(path):
    """Return (operator, dtype, integers, scales) of each kernel of a file."""
    model = convert_bytearray_to_object(path.read_bytes())
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        if len(operator.inputs) != 3:
            continue
        tensor = graph.tensors[operator.inputs[1]]
        content = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.uint8)
        if tensor.type == 17:  # int4: two in each byte, the first in its lower half
            halves = np.stack([content & 15, content >> 4], axis=1).reshape(-1)
            values = (halves.astype(np.int8) ^ 8) - 8
        else:
            values = content.view(np.int8)
        values = values[: np.prod(tensor.shape)].reshape(tensor.shape)
        kind = {17: "int4", 9: "int8"}[tensor.type]
        found.append(
            (operator_name(model, operator), kind, values, np.array(tensor.quantization.scale))
        )
    return found


def test_an_int4_file_has_kernels_of_15_values_between_the_first_and_the_last(tmp_path):
    model, path = model_of(), tmp_path / "model.tflite"
    result = export_tflite(model, path, calibration=PIXELS, quantization="int4")
    assert (result.input.scale, result.input.zero_point) == (1.0, -128)
    assert summarize(path).quantization == "int4"
    found = kernels(path)
    assert [kind for _, kind, *_ in found] == ["int8", "int8", "int4", "int4", "int8"]
    floats = model.get_layer("dense").get_weights()[0].T
    _, _, values, scales = found[3]
    assert scales.shape == (1,)  # one for all, as every runtime reads it
    np.testing.assert_allclose(scales, np.abs(floats).max() / 7, rtol=1e-6)
    np.testing.assert_array_equal(values, np.rint(floats / np.float64(scales[0])))
    norm = model.layers[7]
    gamma, variance = np.asarray(norm.gamma), np.asarray(norm.moving_variance)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    floats = (model.get_layer("between").get_weights()[0] * factor).transpose(3, 0, 1, 2)
    _, _, values, scales = found[2]
    np.testing.assert_allclose(scales, np.abs(floats).max(axis=(1, 2, 3)) / 7, rtol=1e-5)
    assert np.abs(values * scales[:, None, None, None] - floats).max() <= 0.501 * scales.max()
    worst = {each.name for each in layer_errors(path, model, PIXELS[:5]).worst(2)}
    assert worst <= {"last_relu", "between", "dense"}
    needs = read_requirements(path.read_bytes())
    assert needs.tensorflow_lite == "2.11.0" and "kernels have 4 bits" in " ".join(needs.lines())


def test_a_model_trained_for_int4_becomes_what_it_was_trained_as(tmp_path):
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 5, batch_size=10)
    model, path = model_of(), tmp_path / "model.tflite"
    options = {"epochs": 2, "control": False, "weight_bits": 4, "teacher": model}
    aware = kcnn.quantize_aware(model, data, **options).model
    result = export_tflite(aware, path, quantization="int4")
    expected = np.asarray(aware(PIXELS.astype(np.float32), training=False))
    steps = np.abs(TFLiteClassifier(path)(PIXELS) - expected) / result.output.scale
    assert steps.mean() < 2 and steps.max() < 10
    _, _, values, scales = kernels(path)[3]
    trained = np.asarray(aware.get_layer("dense").quantized_kernel()).T
    np.testing.assert_allclose(values * scales, trained, atol=1e-3 * scales[0])
    saved = kcnn.models.load(kcnn.models.save(aware, tmp_path / "model.keras"))
    again = export_tflite(saved, tmp_path / "again.tflite", quantization="int4")
    assert again.path.read_bytes() == path.read_bytes()


def test_a_model_trained_for_int8_is_no_int4_file(tmp_path):
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 5, batch_size=10)
    aware = kcnn.quantize_aware(model_of(), data, epochs=1, control=False).model
    with pytest.raises(ValueError, match="trained for kernels of 8 bits.*weight_bits=4"):
        export_tflite(aware, tmp_path / "model.tflite", quantization="int4")


def test_a_model_without_kernels_for_4_bits_is_refused(tmp_path):
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 5, batch_size=10)
    model = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(5)])
    with pytest.raises(ValueError, match='has no others: export it with quantization="int8"'):
        export_tflite(model, tmp_path / "m.tflite", calibration=PIXELS, quantization="int4")
    with pytest.raises(ValueError, match="has no others: train it with weight_bits=8"):
        kcnn.compress.check_quantize_aware(model, data, weight_bits=4)
    with pytest.raises(ValueError, match="weight_bits=4 needs engine='keras'"):
        kcnn.compress.check_quantize_aware(model_of(), data, weight_bits=4, engine="tfmot")


@pytest.mark.parametrize("offset, norm_first", [(-1, False), (0, True)])
def test_a_model_trained_for_int4_keeps_its_8_bit_kernels_behind_shifted_pixels(
    offset, norm_first, tmp_path
):
    layers = [L.BatchNormalization()] if norm_first else []
    for number in range(3):
        layers += [L.Conv2D(4, 3, padding="same", name=f"conv{number}"), L.ReLU()]
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), L.Rescaling(1 / 127.5, offset), *layers]
        + [L.GlobalAveragePooling2D(), L.Dense(3)]
    )
    data = kcnn.data.from_arrays(PIXELS, np.arange(40) % 3, batch_size=20)
    options = {"epochs": 1, "control": False, "weight_bits": 4}
    aware = kcnn.quantize_aware(network, data, **options).model
    export_tflite(aware, tmp_path / "m.tflite", quantization="int4")
    found = [kind for name, kind, *_ in kernels(tmp_path / "m.tflite") if "DEPTH" not in name]
    assert found == ["int8", "int4", "int4", "int8"]


def test_filters_of_zeros_have_a_scale_in_a_file_with_int16_activations(tmp_path):
    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.Input((8, 8, 3)), L.Rescaling(1 / 255), L.Conv2D(6, 3)])
    network.add(L.Conv2D(6, 3, bias_initializer="ones", kernel_initializer="zeros"))  # all are 0
    network.add(L.Conv2D(6, 3))
    network.add(L.GlobalAveragePooling2D())
    network.add(L.Dense(3))
    for place, weight in ((1, 0.0), (3, 0.0)):
        kernel, bias = network.layers[place].get_weights()
        kernel[..., 2], bias[2] = weight, 0.25  # one is 0
        network.layers[place].set_weights([kernel, bias])
    path = tmp_path / "model.tflite"
    export_tflite(network, path, calibration=PIXELS, quantization="int16x8")
    assert all((scales > 0).all() for *_, scales in kernels(path))
    expected = np.asarray(network(PIXELS[:8].astype("float32")))
    difference = np.abs(TFLiteClassifier(path)(PIXELS[:8]) - expected).max()
    assert difference < 0.02 * np.abs(expected).max()


def test_int16_activations_are_closer_and_store_a_pixel_exactly(tmp_path):
    model, errors = model_of(), {}
    for kind in ("int8", "int16x8"):
        path = tmp_path / f"{kind}.tflite"
        result = export_tflite(model, path, calibration=PIXELS, quantization=kind)
        errors[kind] = layer_errors(path, model, PIXELS[:8]).layers
    assert (result.input.dtype, result.input.scale, result.input.zero_point) == (
        "int16",
        1 / 128,
        0,
    )
    assert summarize(path).quantization == "int16x8"
    assert read_requirements(path.read_bytes()).tensorflow_lite == "2.3.0"
    assert errors["int16x8"][-1].snr > errors["int8"][-1].snr + 1
    floats = export_tflite(
        model, tmp_path / "f.tflite", calibration=PIXELS, quantization="int16x8", io="float32"
    )
    np.testing.assert_allclose(
        TFLiteClassifier(floats.path)(PIXELS), TFLiteClassifier(path)(PIXELS), atol=1e-3
    )
    with pytest.raises(ValueError, match="Unknown io of int16x8 'uint8'.*float32, int16"):
        export_tflite(
            model, tmp_path / "u.tflite", calibration=PIXELS, quantization="int16x8", io="uint8"
        )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a file of each kind, with what LiteRT's reference kernels answer."""
    folder, found = tmp_path_factory.mktemp("bits"), {}
    for kind in ("int4", "int16x8"):
        path = folder / f"{kind}.tflite"
        export_tflite(model_of(), path, calibration=PIXELS, quantization=kind)
        data = path.read_bytes()
        found[kind] = data, RUNTIMES["litert-reference"].run(data, PIXELS[:8]).levels
    return found


@pytest.mark.parametrize("date", ["2024-05", "2024-06", "today"])
def test_every_tflite_micro_runs_them(date, files):
    run = run_of(date)
    for kind, (data, expected) in files.items():
        found = run(data, PIXELS[:8]).levels
        assert np.abs(found - expected).max() <= {"int4": 1, "int16x8": 4}[kind]
        assert np.ptp(expected) > 50
