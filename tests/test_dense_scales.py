"""One scale for each dense kernel of an int8 file, exactly, and what runs such files."""

import keras
import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import convert_bytearray_to_object
from old_micro import run_of

import kcnn
from kcnn.export import export_tflite
from kcnn.export.checks import check_runs
from kcnn.litert import TFLiteClassifier, read_requirements
from kcnn.litert.schema import operator_name, parse, serialize
from kcnn.runtimes import RUNTIMES

layers = keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)


def two_dense(batch_norm=False):
    """A model whose dense kernels have rows of very different size, and biases."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten()]
        + [layers.Dense(6, use_bias=not batch_norm, name="first")]
        + [layers.BatchNormalization()] * batch_norm
        + [layers.ReLU(), layers.Dense(5, name="logits")]
    )
    for layer in ("first", "logits"):
        kernel, *bias = model.get_layer(layer).get_weights()
        scales = 2.0 ** -np.arange(kernel.shape[1])
        values = np.random.default_rng(2).normal(size=kernel.shape[1]).astype(np.float32)
        model.get_layer(layer).set_weights([kernel * scales, *[values] * len(bias)])
    return model


def dense_layers(data):
    """Return (int8 kernel, its scales, int32 bias, its scales, input scale) of each dense layer."""
    model = convert_bytearray_to_object(data)
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        if operator_name(model, operator) != "FULLY_CONNECTED":
            continue
        source, kernel, bias = (graph.tensors[place] for place in operator.inputs)
        numbers = [
            np.frombuffer(bytes(model.buffers[each.buffer].data), dtype).reshape(each.shape)
            for each, dtype in ((kernel, "<i1"), (bias, "<i4"))
        ]
        scales = [np.asarray(each.quantization.scale) for each in (kernel, bias, source)]
        found.append((numbers[0], scales[0], numbers[1], scales[1], scales[2][0]))
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("dense"), two_dense()
    paths = {}
    for per_channel in (False, True):
        paths[per_channel] = folder / f"{per_channel}.tflite"
        export_tflite(model, paths[per_channel], calibration=PIXELS, dense_per_channel=per_channel)
    return model, paths


def test_a_dense_kernel_has_one_scale_and_is_rounded_once(files):
    model, paths = files
    found = dense_layers(paths[False].read_bytes())
    # The scaling of the pixels is folded into the first kernel.
    for name, factor, dense in zip(("first", "logits"), (1 / 255, 1), found, strict=True):
        stored, scale, stored_bias, bias_scale, input_scale = dense
        kernel, bias = (np.float64(each) for each in model.get_layer(name).get_weights())
        kernel = kernel.T * factor
        assert scale.shape == bias_scale.shape == (1,)
        np.testing.assert_allclose(scale, np.abs(kernel).max() / 127, rtol=1e-6)
        np.testing.assert_allclose(bias_scale, scale * input_scale, rtol=1e-6)
        # Not half a step beyond: the floats are rounded, not the numbers of the other file.
        assert np.abs(stored * scale - kernel).max() <= 0.5001 * scale[0]
        assert np.abs(stored_bias * bias_scale - bias).max() <= 0.5001 * bias_scale[0]


def test_a_scale_for_each_output_is_an_option(files):
    model, paths = files
    for (_, scale, _, bias_scale, _), outputs in zip(
        dense_layers(paths[True].read_bytes()), (6, 5), strict=True
    ):
        assert scale.shape == bias_scale.shape == (outputs,)
    answers = model(PIXELS.astype(np.float32)).numpy()
    for path in paths.values():
        error = np.abs(TFLiteClassifier(path)(PIXELS) - answers)
        assert error.max() < 0.05 * np.abs(answers).max()


def test_a_file_with_float_activations_has_one_scale_too(tmp_path):
    model, path = two_dense(), tmp_path / "model.tflite"
    answers = model(PIXELS.astype(np.float32)).numpy()
    for per_channel in (False, True):
        options = {"quantization": "dynamic", "dense_per_channel": per_channel}
        export_tflite(model, path, **options)
        needs = read_requirements(path.read_bytes())
        assert bool(needs.refused_by) == per_channel
        error = np.abs(TFLiteClassifier(path)(PIXELS) - answers)
        assert error.max() < 0.05 * np.abs(answers).max()
    with pytest.raises(ValueError, match="dense_per_channel=True has no effect"):
        export_tflite(model, path, quantization="float16", dense_per_channel=True)


def test_layers_of_equal_kernels_keep_their_own_biases(tmp_path):
    dense = [layers.Dense(4, activation="relu", name="a"), layers.Dense(4, name="b")]
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), *dense])
    kernel = np.random.default_rng(0).normal(size=(4, 4)) * 2.0 ** -np.arange(4)
    for name, bias in (("a", 300), ("b", -500)):
        model.get_layer(name).set_weights([kernel, np.full(4, bias) + np.arange(4)])
    pixels = PIXELS[:, :2, :2, :1]
    export_tflite(model, tmp_path / "model.tflite", calibration=pixels)
    found = dense_layers((tmp_path / "model.tflite").read_bytes())
    for (_, _, bias, scale, _), first in zip(found, (300, -500), strict=True):
        np.testing.assert_allclose(bias * scale, first + np.arange(4), atol=scale[0])


def test_what_runs_each_of_them_is_known(files):
    _, paths = files
    one, many = (read_requirements(paths[each].read_bytes()) for each in (False, True))
    assert (one.tensorflow_lite, one.micro, one.refused_by) == ("1.14.0", "2024-05-07", {})
    assert (many.tensorflow_lite, many.micro) == ("2.17.0", "2024-09-24")
    assert set(many.refused_by) == {"NNAPI", "ESP-NN on the ESP32-S3"}
    assert any("scale for each output" in line for line in many.lines())


def test_an_operator_that_tflite_micro_lacks_is_named(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)]
        + [layers.Activation("gelu"), layers.Flatten(), layers.Dense(2)]
    )
    export_tflite(model, tmp_path / "model.tflite", calibration=PIXELS)
    needs = read_requirements((tmp_path / "model.tflite").read_bytes())
    assert (needs.micro, needs.micro_lacks) == (None, ("GELU",))


@pytest.mark.parametrize("date", ["2024-05", "2024-06", "today"])
def test_one_scale_runs_on_every_tflite_micro_and_a_scale_for_each_does_not(date, files):
    _, paths = files
    run, images = run_of(date), PIXELS[:8]
    reference = RUNTIMES["litert-reference"].run
    for per_channel, path in paths.items():
        data = path.read_bytes()
        expected = reference(data, images).levels
        if per_channel and date == "2024-06":
            with pytest.raises(RuntimeError, match="TFLite Micro"):
                run(data, images)
            continue
        difference = np.abs(run(data, images).levels - expected).max()
        assert (difference > 10) == (per_channel and date == "2024-05")
        assert difference <= 1 or per_channel


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_model_trained_for_int8_keeps_its_rounded_dense_kernels(batch_norm, tmp_path):
    pixels, labels = PIXELS, np.arange(40) % 5
    data = kcnn.data.from_arrays(pixels, labels, batch_size=10)
    trained = kcnn.quantize_aware(two_dense(batch_norm), data, epochs=1, control=False).model
    export_tflite(trained, tmp_path / "model.tflite")
    for stored, scale, *_ in dense_layers((tmp_path / "model.tflite").read_bytes()):
        assert scale.shape == (1,) and np.abs(stored).max() == 127
    kernel = np.asarray(trained.get_layer("logits").quantized_kernel()).T
    stored, scale, *_ = dense_layers((tmp_path / "model.tflite").read_bytes())[1]
    np.testing.assert_allclose(stored * scale, kernel, atol=1e-3 * scale[0])


def test_a_relu_that_is_dead_on_the_calibration_images_is_widened_and_named(tmp_path, caplog):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, name="alive")]
        + [layers.Conv2D(4, 3, activation="relu", name="dead", bias_initializer="zeros")]
        + [layers.Conv2D(4, 3, name="behind"), layers.Flatten(), layers.Dense(3)]
    )
    kernel, bias = model.get_layer("dead").get_weights()
    model.get_layer("dead").set_weights([kernel, bias - 1000])
    path = tmp_path / "model.tflite"
    export_tflite(model, path, calibration=PIXELS)
    assert "single value on all calibration images" in caplog.text
    answers = model(PIXELS.astype(np.float32)).numpy()
    np.testing.assert_allclose(TFLiteClassifier(path)(PIXELS), answers, atol=0.02)


def test_a_relu_that_is_nearly_dead_is_widened_until_xnnpack_loads_it_and_named(tmp_path, caplog):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, name="alive")]
        + [layers.Conv2D(8, 3, name="faint"), layers.ReLU(), layers.Conv2D(4, 1)]
        + [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    faint, images = model.get_layer("faint"), PIXELS.astype(np.float32)
    sums = keras.Model(model.inputs[0], faint.output)(images).numpy()
    kernel, _ = faint.get_weights()
    faint.set_weights([kernel, 1e-6 - sums.max(axis=(0, 1, 2))])  # positive at one pixel
    path = tmp_path / "model.tflite"
    export_tflite(model, path, calibration=PIXELS)
    assert "faint" in caplog.text and "or nearly so" in caplog.text
    np.testing.assert_allclose(TFLiteClassifier(path)(PIXELS), model(images), atol=0.01)


def test_an_operator_that_only_the_reference_kernels_lack_is_named_and_the_file_written(
    tmp_path, caplog
):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)]
        + [layers.UpSampling2D(), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    path = tmp_path / "model.tflite"
    export_tflite(model, path, calibration=PIXELS)
    assert "reference kernels lack TILE" in caplog.text
    answers = model(PIXELS.astype(np.float32)).numpy()
    np.testing.assert_allclose(TFLiteClassifier(path)(PIXELS), answers, atol=0.02)
    unknown = parse(path.read_bytes())
    unknown.operatorCodes[0].version = 99
    with pytest.raises(RuntimeError, match=r"needs CONV_2D in a form that LiteRT lacks: replace"):
        check_runs(serialize(unknown), path, PIXELS)
