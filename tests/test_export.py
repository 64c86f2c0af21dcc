import io
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)
from narrow_models import all_in_the_campaign, build_narrow
from sklearn.datasets import load_digits

import kcnn.models
from kcnn.cli.export import export as export_command
from kcnn.export import export_tflite, fold_normalization
from kcnn.layers import LocalResponseNormalization
from kcnn.litert import TensorSummary, TFLiteClassifier, summarize
from kcnn.litert.loaded import stored_pixels

layers = keras.layers
DIGITS = tuple("zero one two three four five six seven eight nine".split())
SCALING = (layers.Normalization, layers.Rescaling)


def noise(count, shape=(32, 32, 3), low=0, high=256):
    return np.random.default_rng(1).integers(low, high, (count, *shape)).astype(np.uint8)


def randomize_batch_norms(model):
    """Give every batch norm statistics of its own, so that a lost or swapped one shows."""
    random = np.random.default_rng(2)
    for variable in model.non_trainable_variables:
        if variable.path.endswith("moving_mean"):
            variable.assign(random.normal(0, 0.3, variable.shape))
        elif variable.path.endswith("moving_variance"):
            variable.assign(random.uniform(0.5, 2, variable.shape))


@pytest.fixture(scope="module", params=all_in_the_campaign("resnet50"))  # of other blocks
def registered(request):
    keras.utils.set_random_seed(0)
    model = build_narrow(request.param)
    randomize_batch_norms(model)
    yield model
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    pixels = np.kron(bunch.images * 255 / 16, np.ones((1, 2, 2)))
    return np.repeat(pixels[..., None], 3, axis=-1).astype(np.uint8), bunch.target


@pytest.fixture(scope="module")
def trained(digits):
    keras.utils.set_random_seed(0)
    images, labels = digits
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            layers.ZeroPadding2D(1),
            layers.Normalization(mean=[78, 78, 78], variance=[9000, 9000, 9000]),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, name="logits"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(images[:1200], labels[:1200], batch_size=64, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def int8_file(trained, digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "digits.tflite"
    batches = tf.data.Dataset.from_tensor_slices((digits[0][:1200], digits[1][:1200])).batch(64)
    result = export_tflite(trained, path, calibration=batches, samples=100, labels=DIGITS)
    assert result.calibration_count == 100
    assert not {"MUL", "SUB"} & set(result.operators)
    return path


DIGIT_IMAGES = noise(20, (16, 16, 3))


def logits_of(model, images):
    return model(images.astype(np.float32), training=False).numpy()


def test_every_model_folds_exactly_and_becomes_integers_only(registered, tmp_path):
    images = noise(8)
    expected = logits_of(registered, images)
    folded = fold_normalization(registered)
    assert not [layer for layer in folded.layers if isinstance(layer, layers.Normalization)]
    assert np.abs(logits_of(folded, images) - expected).max() < 1e-4 * np.abs(expected).max()

    # No pixel is black or white: the input's range must not come from the images.
    gray = noise(10, low=40, high=200)
    result = export_tflite(folded, tmp_path / "model.tflite", calibration=gray)
    summary = summarize(result.path)
    assert (result.input.dtype, result.input.scale, result.input.zero_point) == ("int8", 1.0, -128)
    assert (result.input.name, result.output.name) == ("image", "logits")
    assert (result.input.shape, result.output.shape) == ((1, 32, 32, 3), (1, 10))
    assert result.output.dtype == "int8"
    assert set(summary.tensor_dtypes) == {"int8", "int32"}
    assert not {"SUB", "QUANTIZE", "DEQUANTIZE"} & set(summary.operators)
    multiplies = (layers.Rescaling, LocalResponseNormalization)
    # A batch norm behind a pooling is not part of the convolution.
    pooled = any(
        isinstance(layer, layers.MaxPooling2D) and _reads(folded, layer) for layer in folded.layers
    )
    multiplied = pooled or any(isinstance(layer, multiplies) for layer in folded.layers)
    assert ("MUL" in summary.operators) == multiplied
    assert summary.bytes == result.bytes == result.path.stat().st_size > result.gzip_bytes
    predicted = TFLiteClassifier(result.path)(images)
    assert np.corrcoef(predicted.ravel(), expected.ravel())[0, 1] > 0.9


def _reads(model, pooling):
    """Say whether a batch norm reads this pooling."""
    following = model.layers[model.layers.index(pooling) + 1]
    return isinstance(following, layers.BatchNormalization)


@pytest.mark.parametrize("name", ["simple_cnn", "resnet20"])
def test_a_float_file_equals_the_model(name, tmp_path):
    model = kcnn.models.build(name)
    randomize_batch_norms(model)
    path = tmp_path / "float.tflite"
    result = export_tflite(model, path, quantization="none")
    assert (result.input.dtype, result.input.scale, result.calibration_count) == (
        "float32",
        None,
        0,
    )
    classifier = TFLiteClassifier(path)
    assert classifier.quantization == "none"
    images, expected = noise(4), logits_of(model, noise(4))
    assert np.abs(classifier(images) - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    "settings", [{"alpha": 0.02}, {"depth_radius": 1, "bias": 1.0, "alpha": 0.05, "beta": 0.4}]
)
def test_local_response_normalization_is_int8_and_close(settings, tmp_path):
    def model(*normalization):
        head = [keras.Input((6, 6, 3)), layers.Rescaling(1 / 64), layers.Conv2D(8, 1)]
        return keras.Sequential([*head, layers.ReLU(), *normalization, layers.Flatten()])

    normalized, bare = model(LocalResponseNormalization(**settings)), model()
    bare.set_weights(normalized.get_weights())
    images = noise(50, (6, 6, 3))
    result = export_tflite(normalized, tmp_path / "model.tflite", calibration=images)
    expected = logits_of(normalized, images)
    error = np.abs(TFLiteClassifier(result.path)(images) - expected)
    assert error.max() < 0.03 * expected.max() and error.mean() < 0.005 * expected.max()
    # It does something here.
    changed = np.abs(logits_of(bare, images) * settings.get("bias", 2.0) ** -0.75 - expected)
    assert changed.max() > 0.1 * expected.max()


def test_int8_answers_as_the_model_on_real_images(trained, digits, int8_file):
    images, labels = digits[0][1200:], digits[1][1200:]
    expected = logits_of(trained, images).argmax(axis=1)
    predicted = TFLiteClassifier(int8_file)(images).argmax(axis=1)
    assert (expected == labels).mean() > 0.8
    assert (expected == predicted).mean() > 0.98


def test_the_app_feeds_pixel_minus_128(int8_file):
    values = np.arange(256, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (256, 16, 16, 3))
    interpreter = Interpreter(model_content=int8_file.read_bytes())
    run = interpreter.get_signature_runner("serving_default")
    scale, zero_point = run.get_output_details()["logits"]["quantization"]
    expected = []
    for value in range(256):
        image = np.full((1, 16, 16, 3), value - 128, np.int8)
        expected.append((run(image=image)["logits"][0].astype(np.float32) - zero_point) * scale)
    np.testing.assert_allclose(TFLiteClassifier(int8_file)(images), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def stored(trained, digits, int8_file, tmp_path_factory):
    """Return what a file with other ends or numbers gives out, as stored and as real numbers."""
    folder = tmp_path_factory.mktemp("options")

    def answer(**options):
        path = folder / f"{'_'.join(map(str, options.values()))}.tflite"
        export_tflite(trained, path, calibration=digits[0][:100], **options)
        return path.stat().st_size, summarize(path).outputs[0], TFLiteClassifier(path)(DIGIT_IMAGES)

    return answer


def test_only_the_ends_differ_between_int8_files(trained, digits, stored):
    (_, int8, same), (_, raw, bytes_), (_, real, floats) = (
        stored(io=io) for io in ("int8", "uint8", "float32")
    )
    assert (raw.dtype, raw.scale, raw.zero_point) == ("uint8", int8.scale, int8.zero_point + 128)
    assert (real.dtype, real.scale) == ("float32", None)
    np.testing.assert_array_equal(bytes_, same)
    np.testing.assert_allclose(floats, same, rtol=1e-6)


@pytest.mark.parametrize(
    ("quantization", "size", "error"), [("float16", 0.62, 0.01), ("dynamic", 0.5, 0.1)]
)
def test_smaller_floats_are_close_to_the_model(quantization, size, error, trained, digits, stored):
    whole, _, exact = stored(quantization="none")
    small, output, close = stored(quantization=quantization)
    assert output.dtype == "float32"
    assert small < size * whole
    assert 0 < np.abs(close - exact).max() < error * np.abs(exact).max()


def test_softmax_gives_the_probabilities_of_the_logits(trained, stored):
    _, output, probabilities = stored(quantization="none", softmax=True)
    _, _, logits = stored(quantization="none")
    assert output.name == "probabilities"
    np.testing.assert_allclose(probabilities, keras.ops.softmax(logits), atol=1e-6)


def test_a_model_in_mixed_precision_is_exported_in_float32(tmp_path):
    keras.utils.set_random_seed(0)
    half = "mixed_bfloat16"
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, dtype=half), layers.Flatten()]
        + [layers.Dense(2, dtype="float32")]
    )
    float32 = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    float32.set_weights(model.get_weights())
    images = noise(5, (8, 8, 3))
    export_tflite(model, tmp_path / "model.tflite", quantization="none")
    answers = TFLiteClassifier(tmp_path / "model.tflite")(images)
    np.testing.assert_allclose(answers, logits_of(float32, images), rtol=1e-4, atol=1e-3)


def test_labels_travel_in_the_file_as_a_zip(trained, digits, int8_file, tmp_path):
    plain, again = tmp_path / "plain.tflite", tmp_path / "again.tflite"
    export_tflite(trained, plain, calibration=digits[0][:100])
    assert TFLiteClassifier(plain).labels == ()
    export_tflite(trained, again, calibration=digits[0][:100], labels=DIGITS)
    assert int8_file.read_bytes() == again.read_bytes()  # of the same model
    assert TFLiteClassifier(int8_file).labels == summarize(int8_file).labels == DIGITS
    with zipfile.ZipFile(int8_file) as archive:
        assert archive.read("labels.txt").decode().split("\n") == list(DIGITS)


def scaled(*tail, padding="valid", first=None):
    first = first or layers.Normalization(mean=[9.0, 99, 199], variance=[4.0, 400, 900])
    return keras.Sequential(
        [keras.Input((8, 8, 3)), first, layers.Conv2D(4, 3, padding=padding), *tail]
    )


def two_readers():
    image = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(image)
    return keras.Model(image, layers.Add()([layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)]))


def shared_convolution():
    image, convolution = keras.Input((8, 8, 3)), layers.Conv2D(4, 3)
    scaled_image = layers.Rescaling(1 / 255)(image)
    return keras.Model(image, layers.Add()([convolution(scaled_image), convolution(image)]))


def adapted():
    normalization = layers.Normalization()
    normalization.adapt(noise(20, (8, 8, 3)).astype(np.float32))
    return scaled(first=normalization)


def flattened(readers=1, data_format="channels_last"):
    image = keras.Input((8, 8, 3))
    x = layers.Normalization(mean=[9.0, 99, 199], variance=[4.0, 400, 900])(image)
    x = layers.Flatten(data_format=data_format)(x)
    outputs = [layers.Dense(4, use_bias=False)(x) for _ in range(readers)]
    return keras.Model(image, layers.Add()(outputs) if readers > 1 else outputs[0])


def inverted():
    return scaled(first=layers.Normalization(mean=[9.0] * 3, variance=[4.0] * 3, invert=True))


def twice_scaled():
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), *scaled().layers])


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (scaled, 0),
        (adapted, 0),
        (inverted, 0),
        (twice_scaled, 0),
        (lambda: scaled(first=layers.Rescaling(1 / 127.5, -1)), 0),
        (lambda: scaled(first=layers.Rescaling([0.1, 0.2, 0.3]), padding="same"), 0),
        (flattened, 0),
        # Not exact, or read by others too: left as they are.
        (lambda: scaled(padding="same"), 1),
        (two_readers, 1),
        (shared_convolution, 1),
        (lambda: flattened(readers=2), 1),
        (lambda: flattened(data_format="channels_first"), 1),
    ],
)
def test_only_what_is_exact_is_folded(build, left):
    model, images = build(), noise(4, (8, 8, 3))
    folded = fold_normalization(model)
    assert sum(isinstance(layer, SCALING) for layer in folded.layers) == left
    assert (folded is model) == bool(left)
    expected = logits_of(model, images)
    assert np.abs(logits_of(folded, images) - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_callers_model_is_unchanged(trained, digits, tmp_path):
    weights, config = trained.get_weights(), trained.get_config()
    export_tflite(trained, tmp_path / "model.tflite", calibration=digits[0][:20])
    assert trained.get_config() == config
    assert trained.compiled
    for before, after in zip(weights, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def bad_weights():
    model = scaled(layers.Flatten(), layers.Dense(2))
    model.layers[-1].bias.assign([np.nan, 0])
    return model


def images_of_the_test_set(change=lambda dataset: dataset):
    return change(kcnn.data.load("digits", limit=40, batch_size=10).test)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"calibration": None}, "data.calibration"),
        ({"calibration": noise(9, (8, 8, 3))}, "at least 10"),
        ({"calibration": noise(20, (9, 8, 3))}, r"\(20, 9, 8, 3\)"),
        ({"calibration": noise(20, (8, 8, 3)) / 255}, "guess at random"),
        ({"calibration": noise(20, (8, 8, 3)) / 127.5 - 1}, "guess at random"),
        ({"calibration": np.full((20, 8, 8, 3), np.nan)}, "nan"),
        ({"calibration": noise(20, (8, 8, 3)) > 9}, "bool"),
        ({"calibration": noise(20, (8, 8, 3)).astype(np.int64)}, "int64"),
        ({"samples": 3}, "at least 10"),
        ({"calibration": images_of_the_test_set()}, "data.test"),
        ({"calibration": images_of_the_test_set(lambda test: test.take(2))}, "data.test"),
        (
            {
                "calibration": images_of_the_test_set(
                    lambda test: test.map(lambda image, _: image).unbatch().shuffle(9).batch(10)
                )
            },
            "data.test",
        ),
        ({"io": "int16"}, "Did you mean 'int8'"),
        ({"io": "uint8", "quantization": "float16"}, "has a float32 input and output"),
        ({"labels": ["cat"]}, "Received: 1 labels"),
        ({"labels": "ab"}, "the text 'ab'"),
        ({"labels": ["cat", "dog\n"]}, "one line"),
        ({"quantization": "int9"}, "Did you mean 'int8'"),
        ({"path": "model.keras"}, "must end in .tflite"),
        ({"model": "model.keras"}, "must be a keras.Model"),
        ({"model": keras.Sequential([layers.Dense(2)])}, "built"),
        ({"model": scaled()}, r"\(None, 6, 6, 4\)"),
        ({"model": scaled(layers.Flatten(dtype="float16"), layers.Dense(2))}, "float32"),
        ({"model": bad_weights()}, "not finite"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(arguments, reason, tmp_path):
    given = {
        "model": scaled(layers.Flatten(), layers.Dense(2)),
        "path": "model.tflite",
        "calibration": noise(20, (8, 8, 3)),
    } | arguments
    model, path = given.pop("model"), tmp_path / given.pop("path")
    with pytest.raises(ValueError, match=reason) as caught:
        export_tflite(model, path, **given)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.LayerNormalization(), "not all integers"),
        # exp() of raw pixels overflows, and an infinite range would crash TensorFlow's quantizer.
        (layers.Activation("softplus"), "inf"),
    ],
)
def test_what_cannot_be_int8_is_named_and_the_old_file_stays(layer, reason, tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, kernel_initializer="ones"), layer]
        + [layers.Flatten(), layers.Dense(2)]
    )
    path = tmp_path / "model.tflite"
    path.write_text("older")
    with pytest.raises(RuntimeError, match=reason) as caught:
        export_tflite(model, path, calibration=noise(10, (8, 8, 3)))
    assert "\n" not in str(caught.value)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_text() == "older"


def test_an_operator_that_tensorflow_lite_lacks_is_named(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Lambda(tf.math.digamma), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(RuntimeError, match="no operator for tf.Digamma; replace the layer"):
        export_tflite(model, tmp_path / "model.tflite", quantization="none")


def places_of_constants(data):
    model = schema.Model.GetRootAs(data)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    return [each._tab.Vector(each._tab.Offset(4)) for each in buffers if each.DataLength()]


@pytest.mark.parametrize("feature_map", [False, True])
def test_constants_are_aligned_for_kernels_that_read_them_in_place(feature_map, tmp_path):
    network = [layers.Conv2D(5, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model, path = keras.Sequential([keras.Input((8, 8, 3)), *network]), tmp_path / "model.tflite"
    images = noise(10, (8, 8, 3))
    export_tflite(model, path, calibration=images, labels=tuple("abc"), feature_map=feature_map)
    places = places_of_constants(path.read_bytes())
    assert len(places) > 4 and {place % 16 for place in places} == {0}


def test_the_command_says_whether_the_file_does_what_the_model_does(tmp_path, capsys):
    digits = load_digits()
    means = np.stack([digits.images[digits.target == each].mean(axis=0) for each in range(10)])
    means = (means / 16).reshape(10, 64)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(1, 1, kernel_initializer="ones")]
        + [layers.AveragePooling2D(4), layers.Flatten(), layers.Dense(10)]
    )
    weights = np.float32(2 * means.T / (3 * 255)), np.float32(-(means**2).sum(axis=1))
    for sign, name in ((1, "right"), (-1, "wrong")):  # the nearest of the mean images, the farthest
        model.layers[-1].set_weights([sign * each for each in weights])
        model.save(tmp_path / f"{name}.keras")
        export_command(tmp_path / f"{name}.keras", tmp_path / f"{name}.tflite", data="digits")
        text = capsys.readouterr().out
        (line,) = [each for each in text.splitlines() if each.startswith("accuracy ")]
        accuracy, of_the_model, agreement = map(float, re.findall(r"([\d.]+)%", line))
        assert line.endswith("of 144 validation images") and agreement > 95
        assert (accuracy > 80) == (of_the_model > 80) == (sign == 1)
        assert ("--input-range 0..1, -1..1 or mean,std" in text) == (sign == -1)


@pytest.mark.parametrize(
    "model",
    [
        keras.Model(inputs := [keras.Input((4, 4, 3)), keras.Input((4, 4, 3))], inputs[0]),
        keras.Sequential([layers.Dense(2)]),
    ],
)
@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_the_command_refuses_what_is_no_classifier(model, tmp_path):
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="An export needs a (model with one input|built model)"):
        export_command(tmp_path / "model.keras", tmp_path / "model.tflite", data="digits")


def refusal(path):
    with pytest.raises(ValueError, match="digits|broken") as caught:
        TFLiteClassifier(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"hello, I am a text file", b"\0" * 99])
def test_what_is_no_tflite_file_is_refused(content, tmp_path):
    path = tmp_path / "broken.tflite"
    assert "Cannot read" in refusal(path)
    path.write_bytes(content)
    assert "not a TensorFlow Lite model" in refusal(path)


def test_a_truncated_file_is_refused_wherever_it_ends(int8_file, tmp_path):
    path, data = tmp_path / "broken.tflite", int8_file.read_bytes()
    labels = zipfile.ZipFile(io.BytesIO(data)).infolist()[0].header_offset
    cuts = np.random.default_rng(3).integers(0, labels - 16, 25).tolist()
    for cut in [*cuts, labels + 45, len(data) - 30, len(data) - 10, len(data) - 1]:
        path.write_bytes(data[:cut])
        refusal(path)


def edited(path, edit):
    model = convert_bytearray_to_object(path.read_bytes())
    edit(model.subgraphs[0].tensors, model.subgraphs[0])
    return bytes(convert_object_to_bytearray(model))


def test_a_shape_beyond_all_memory_is_refused(int8_file, tmp_path):
    def inflate(tensors, graph):
        tensors[graph.operators[0].outputs[0]].shape = [14_286_849, 16, 16, 8]

    path = tmp_path / "broken.tflite"
    path.write_bytes(edited(int8_file, inflate))
    assert "14286849" in refusal(path)


def test_a_file_for_scaled_images_is_refused(int8_file, tmp_path):
    def rescale(tensors, graph):
        tensors[graph.inputs[0]].quantization.scale = [0.02]

    path = tmp_path / "broken.tflite"
    path.write_bytes(edited(int8_file, rescale))
    assert "not raw pixels" in refusal(path)
    unknown = TensorSummary("image", "int8", (1, 16, 16, 3), float("nan"), -128)
    with pytest.raises(ValueError, match="values from nan to nan, not raw pixels"):
        stored_pixels(path, unknown)


def test_a_layer_without_weights_is_refused_before_it_crashes(int8_file, tmp_path):
    def strip(tensors, graph):
        graph.operators[-1].inputs = [graph.operators[-1].inputs[0], -1, -1]

    path = tmp_path / "broken.tflite"
    path.write_bytes(edited(int8_file, strip))
    assert "FULLY_CONNECTED without weights" in refusal(path)


def test_many_tensors_beyond_all_memory_are_refused(int8_file, tmp_path):
    def inflate(tensors, graph):
        for operator in graph.operators:
            tensors[operator.outputs[0]].shape = [1, 16384, 16384, 1]
        graph.tensors.extend([tensors[graph.operators[0].outputs[0]]] * 20)

    path = tmp_path / "broken.tflite"
    path.write_bytes(edited(int8_file, inflate))
    assert "bytes of tensors" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_packed_files_of_gigabytes_are_refused(method, int8_file, tmp_path):
    data = int8_file.read_bytes()
    start = zipfile.ZipFile(io.BytesIO(data)).infolist()[0].header_offset
    path = tmp_path / "broken.tflite"
    path.write_bytes(data[:start])
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("labels.txt", b"\n" * (2**24 + 1 if method == zipfile.ZIP_DEFLATED else 9))
    assert "over 16,777,216 bytes" in refusal(path)
    # One that lies about its size ends where it said.
    short = bytearray(path.read_bytes())
    at = short.rindex(b"PK\x01\x02") + 24
    short[at : at + 4] = (9).to_bytes(4, "little")
    path.write_bytes(short)
    refusal(path)


def test_a_file_that_is_too_large_is_not_read_whole(int8_file, monkeypatch):
    monkeypatch.setattr("kcnn.litert.tflite_file._LARGEST_FILE", 1000)
    assert "more than 1,000 bytes" in refusal(int8_file)


@pytest.mark.parametrize(
    "images", [noise(2, (16, 16, 3)) / 255, noise(2, (16, 15, 3)), noise(1, (16, 16, 3))[0]]
)
def test_other_images_are_refused(images, int8_file):
    with pytest.raises(ValueError, match=r"batch, 16, 16, 3\).*Received"):
        TFLiteClassifier(int8_file)(images)


def test_timing_and_batches(int8_file):
    classifier, images = TFLiteClassifier(int8_file), noise(3, (16, 16, 3))
    together = classifier(images)
    assert (together.shape, together.dtype) == ((3, 10), np.float32)
    for image, logits in zip(images, together, strict=True):
        np.testing.assert_array_equal(classifier(image[None])[0], logits)
    assert classifier(images[:0]).shape == (0, 10)
    assert classifier.milliseconds_per_image() > 0
    with pytest.raises(ValueError, match="repeats=0"):
        classifier.milliseconds_per_image(images, repeats=0)


def test_the_time_of_an_image_is_the_median(int8_file, monkeypatch):
    seconds = iter([0.0, 0.5, 1.0, 1.25, 2.0, 9.0])  # three images of 0.5, 0.25 and 7 seconds
    monkeypatch.setattr("kcnn.litert.classifier.time.perf_counter", lambda: next(seconds))
    images = noise(3, (16, 16, 3))
    assert TFLiteClassifier(int8_file).milliseconds_per_image(images, repeats=1) == 500


def test_nothing_is_printed(trained, digits, tmp_path, capfd):
    path = tmp_path / "model.tflite"
    export_tflite(trained, path, calibration=digits[0][:20])
    TFLiteClassifier(path)
    assert capfd.readouterr() == ("", "")


def test_running_a_file_needs_no_tensorflow(int8_file):
    code = (
        "import sys, numpy as np; from kcnn.litert import TFLiteClassifier, summarize;"
        f"c = TFLiteClassifier({str(int8_file)!r}); summarize(c.path);"
        "c(np.zeros((1, 16, 16, 3), np.uint8));"
        "print(sorted({'tensorflow', 'keras', 'tf_keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
