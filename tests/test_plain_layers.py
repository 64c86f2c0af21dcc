"""Models of others as one graph of layers, and their pixels folded into the first kernel."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.compress.qat.insert_fake_quantize import insert_fake_quantize
from kcnn.export import export_tflite
from kcnn.export.exact_rewrites import rewrite_exactly
from kcnn.export.fold_pixels import fold_pixels
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.models import as_layers

layers, ops = keras.layers, keras.ops
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)


def base(padding="same"):
    """A network as it is used inside another one."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding=padding, name="conv")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="norm")(x))
    return keras.Model(image, ops.add(x, ops.relu(x)), name="base")


def around(preprocess, *, dtype="float32", augment=False, padding="same"):
    """The usual model of transfer learning: preprocessing, a model, a head."""
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), dtype=dtype, name="photo")
    x = image
    if augment:
        flip = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)]
        x = keras.Sequential(flip, name="augment")(x)
    x = base(padding)(preprocess(x), training=False)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(3, activation="softmax", name="scores")(x)
    model = keras.Model(image, x)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            random = np.random.default_rng(1)
            gamma, beta, *_ = layer.get_weights()
            shape = gamma.shape
            layer.set_weights(
                [gamma, beta, random.normal(0, 1, shape), random.uniform(0.5, 2, shape)]
            )
    return model


def adapted(x):
    layer = layers.Normalization()
    layer.adapt(PIXELS.astype(np.float32))
    return layer(x)


def bgr(x):
    return keras.applications.resnet50.preprocess_input(x)


PREPROCESSINGS = {
    "operations": keras.applications.mobilenet_v2.preprocess_input,
    "channels by themselves": keras.applications.densenet.preprocess_input,
    "blue first": bgr,
    "blue first, by a slice": lambda x: x[..., ::-1] - 100.0,
    "adapted": adapted,
    "rescaling": layers.Rescaling(1 / 127.5, offset=-1.0),
    "cast": lambda x: ops.cast(x, "float32") / 255.0,
    "nothing": lambda x: x,
}


def answers(model, pixels=PIXELS):
    return np.asarray(model(pixels, training=False))


@pytest.mark.parametrize("name", PREPROCESSINGS)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_what_is_done_to_the_pixels_first_is_folded_exactly(name, padding):
    model = around(PREPROCESSINGS[name], padding=padding)
    folded = fold_pixels(model)
    np.testing.assert_allclose(answers(folded), answers(model), rtol=1e-4, atol=1e-5)
    first, *others = [type(each).__name__ for each in kcnn.models.flatten(folded).operations]
    white = padding == "same" and name not in ("cast", "nothing")  # where there is a shift
    assert [first, *others][: 2 + white] == ["InputLayer", *["Pad"] * white, "Conv2D"]


def padded(x):
    return layers.ZeroPadding2D(1)(layers.Rescaling(1 / 127.5, offset=-1.0)(x))


def test_padding_by_a_layer_is_part_of_the_fold(tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(padded(image))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    np.testing.assert_allclose(answers(fold_pixels(model)), answers(model), rtol=1e-4, atol=1e-4)
    result = export_tflite(model, tmp_path / "model.tflite", calibration=PIXELS)
    assert not {"MUL", "ADD", "SUB"} & set(result.operators)
    error = np.abs(TFLiteClassifier(result.path)(PIXELS) - answers(model))
    assert error.max() < 0.03 * np.abs(answers(model)).max()


@pytest.mark.parametrize(
    "build",
    [
        # A pixel depends on its neighbors, or the sum is not linear, or others read it too.
        lambda x: layers.AveragePooling2D(3, strides=1, padding="same")(x),
        lambda x: ops.sqrt(x),
        lambda x: layers.LayerNormalization(center=False, scale=False)(x),
    ],
)
def test_what_a_kernel_cannot_do_stays(build):
    model = around(build)
    assert np.abs(answers(fold_pixels(model)) - answers(model)).max() < 1e-5


READ_TWICE = {
    "two kernels": lambda x: layers.Concatenate()([conv(x), conv(x)]),
    "two padded kernels": lambda x: layers.Concatenate()([conv(x, "same"), conv(x, "same")]),
    "a kernel and a sum": lambda x: layers.Add()([layers.Conv2D(3, 3, padding="same")(x), x]),
    "a kernel and a pooling": lambda x: layers.Concatenate()(
        [conv(x, "same"), layers.MaxPooling2D(2, 1, padding="same")(x)]
    ),
    "kernels of one padded image": lambda x: (
        lambda wide: layers.Concatenate()([conv(wide), conv(wide)])
    )(layers.ZeroPadding2D(1)(x)),
}


def conv(x, padding="valid"):
    return layers.Conv2D(4, 3, padding=padding)(x)


@pytest.mark.parametrize("reader", READ_TWICE)
def test_a_scaling_that_two_layers_read_stays(reader):
    keras.utils.set_random_seed(0)
    for name in ("operations", "adapted", "cast"):
        image = keras.Input((8, 8, 3))
        x = layers.GlobalAveragePooling2D()(READ_TWICE[reader](PREPROCESSINGS[name](image)))
        model = keras.Model(image, layers.Dense(3)(x))
        expected = answers(model)
        folded = answers(fold_pixels(model))
        np.testing.assert_allclose(folded, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "options", [{"quantization": "none"}, {"quantization": "int8"}, {"input_range": "0..1"}]
)
def test_the_file_of_two_branches_takes_raw_pixels(options, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = image if "input_range" in options else layers.Rescaling(1 / 255)(image)
    x = layers.GlobalAveragePooling2D()(READ_TWICE["two kernels"](x))
    model = keras.Model(image, layers.Dense(3)(x))
    result = export_tflite(model, tmp_path / "model.tflite", calibration=PIXELS, **options)
    expected = answers(model, PIXELS / 255 if "input_range" in options else PIXELS)
    error = np.abs(TFLiteClassifier(result.path)(PIXELS) - expected).max()
    exact = options.get("quantization") == "none"
    assert error < (1e-5 if exact else 0.05) * np.abs(expected).max()


class Scaled(layers.Layer):
    """A layer of a user's own without get_config, whose configuration lacks its name."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor


@keras.saving.register_keras_serializable("test_plain_layers")
class Bare(layers.Layer):
    """A layer of a user's own with weights, which cannot be copied: it takes no name."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return x @ self.matrix

    def get_config(self):
        return {"units": self.units, "name": self.name}


OWN = {
    "a function of Keras": layers.Lambda(keras.applications.resnet50.preprocess_input),
    "a function": layers.Lambda(lambda x: x / 255.0),
    "a class without a configuration": lambda x: Scaled(0.5)(conv(x / 255.0)),
    "a class without a name": lambda x: Bare(3)(conv(layers.Rescaling(1 / 127.5, -1.0)(x), "same")),
}


@pytest.mark.parametrize("name", OWN)
def test_layers_of_a_users_own_are_exported(name, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.Conv2D(4, 3)(OWN[name](image)))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    expected = answers(model)
    result = export_tflite(model, tmp_path / "model.tflite", quantization="none")
    error = np.abs(TFLiteClassifier(result.path)(PIXELS) - expected).max()
    assert error < 1e-5 * np.abs(expected).max()
    folded = fold_pixels(model)
    assert not [each for each in folded.layers if isinstance(each, layers.Lambda)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a function", r"Layer 'lambda.*' \(Lambda\) cannot be copied: it holds a Python function"),
        ("a class without a configuration", r"Layer 'scaled.*' \(Scaled\).*Put @keras.saving.reg"),
        ("a class without a name", r"Layer 'bare.*' \(Bare\).*an __init__ that takes \*\*kwargs"),
    ],
)
def test_compression_names_the_layer_that_it_cannot_copy(name, message):
    digits = kcnn.data.load("digits", limit=100, batch_size=20)
    image = keras.Input(digits.image_shape)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(OWN[name](image)))
    model = keras.Model(image, layers.Dense(10)(x))
    with pytest.raises(ValueError, match=message) as caught:
        kcnn.prune(model, digits, sparsity=0.5, epochs=1, engine="keras")
    assert "\n" not in str(caught.value)


def test_a_rewrite_that_changes_the_answers_is_not_used(caplog):
    model = around(PREPROCESSINGS["rescaling"])

    def halved(model):
        image = keras.Input((8, 8, 3))
        return keras.Model(image, model(image) / 2)

    with caplog.at_level("WARNING", "kcnn"):
        assert rewrite_exactly(model, fold_pixels, PIXELS) is not model
        assert not caplog.records
        assert rewrite_exactly(model, halved, PIXELS) is model
    assert "answers differently, so it is exported as it is" in caplog.text
    integers = around(PREPROCESSINGS["rescaling"], dtype="uint8")
    with pytest.raises(RuntimeError, match=r"answers differently. Build it with keras.Input"):
        rewrite_exactly(integers, halved, PIXELS)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_images_of_integers_are_exported(dtype, quantization, tmp_path):
    model = around(lambda x: layers.Rescaling(1 / 255)(x), dtype=dtype)
    path = tmp_path / "model.tflite"
    export_tflite(model, path, quantization=quantization, calibration=PIXELS)
    assert summarize(path).inputs[0].dtype == {"int8": "int8", "none": "float32"}[quantization]
    tolerance = {"int8": 0.03, "none": 1e-5}[quantization]
    np.testing.assert_allclose(TFLiteClassifier(path)(PIXELS), answers(model), atol=tolerance)


def test_a_model_becomes_one_graph_of_layers_that_computes_the_same():
    model = around(PREPROCESSINGS["operations"], augment=True, dtype="uint8")
    plain = as_layers(model)
    np.testing.assert_allclose(answers(plain), answers(model), rtol=1e-5, atol=1e-6)
    assert all(isinstance(layer, layers.Layer) for layer in plain.operations)
    assert not any(isinstance(layer, keras.Model) for layer in plain.layers)
    assert not [layer for layer in plain.layers if layer.name.startswith("random")]
    assert plain.inputs[0].dtype == "float32" and plain.inputs[0].name == "photo"
    assert as_layers(plain) is plain
    logits = as_layers(model, logits=True)
    np.testing.assert_allclose(ops.softmax(answers(logits)), answers(model), rtol=1e-4)
    assert as_layers(logits, logits=True) is logits


def test_a_model_that_is_called_twice_becomes_layers_of_its_own_names():
    image, inner = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    shared = keras.Model(inner, layers.Conv2D(3, 3)(inner / 255.0 - 0.5))
    model = keras.Model(image, layers.Flatten()(shared(image) + shared(image * 0.5)))
    plain = as_layers(model)
    assert all(isinstance(layer, layers.Layer) for layer in plain.operations)
    np.testing.assert_allclose(answers(plain), answers(model), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["layer", "option"])
def test_an_activation_that_is_called_twice_is_not_left_out(kind):
    image = keras.Input((3,))
    last = layers.Softmax() if kind == "layer" else layers.Dense(3, activation="softmax")
    model = keras.Model(image, last(layers.Dense(3)(last(image))))
    with pytest.raises(ValueError, match="is called 2 times: make a layer for each call"):
        as_layers(model, logits=True)


def blue_first(x):
    return ops.flip(layers.ZeroPadding2D(1)(x * np.array([1.0, 2.0, 3.0], np.float32)), axis=-1)


REVERSALS = {
    "as resnet50": bgr,
    "a slice of every axis": lambda x: x[:, :, :, ::-1] / 127.5 - 1.0,
    "per channel": lambda x: ops.cast(x, "float32")[..., ::-1] * np.float32([[1, 2, 3]]) + 5.0,
    "by flip": blue_first,
    "padded": lambda x: layers.ZeroPadding2D(1)(layers.Rescaling(1 / 255)(x[..., ::-1])),
    "turned": lambda x: (
        ops.stack([x[..., 1], x[..., 2], x[..., 0]], axis=-1) - np.float32([1, 5, 9])
    ),
}


@pytest.mark.parametrize("name", REVERSALS)
def test_a_kernel_reads_the_channels_in_their_own_order(name):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Flatten()(conv(REVERSALS[name](image))))
    plain = as_layers(model)
    assert all(isinstance(layer, layers.Layer) for layer in plain.operations)
    np.testing.assert_allclose(answers(plain), answers(model), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: layers.Concatenate()([conv(x), conv(x)]),
        lambda x: conv(ops.stack([x[..., 0], x[..., 0], x[..., 2]], axis=-1)),
        lambda x: layers.Add()([layers.Conv2D(3, 3, padding="same")(x), x]),
        lambda x: layers.DepthwiseConv2D(3)(x),
        lambda x: conv(layers.BatchNormalization(beta_initializer="random_normal")(x)),
        lambda x: conv(x[:, ::-1]),
        lambda x: conv(x[..., ::-1, :]),
        lambda x: layers.Conv2D(3, 3, groups=3)(x),
    ],
)
def test_reversed_channels_that_no_single_kernel_reads_stay(build):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Flatten()(build(image[..., ::-1] / 255.0)))
    plain = as_layers(model)
    np.testing.assert_allclose(answers(plain), answers(model), rtol=1e-5, atol=1e-5)


def test_a_network_that_reads_blue_first_is_compressed():
    digits = kcnn.data.load("digits", limit=100, batch_size=20)
    image = keras.Input(digits.image_shape)
    x = layers.ReLU()(layers.Conv2D(16, 3, padding="same", name="conv")(bgr(image)))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    kcnn.compress.check_prune(model, digits)
    kcnn.compress.check_cluster(model, digits)
    slim = kcnn.slim(model, macs=0.7).model
    assert slim.get_layer("conv").kernel.shape[2] == 3
    assert insert_fake_quantize(as_layers(model)).input_shape == model.input_shape


OPERATIONS = {
    "x + y": lambda x: x + layers.ReLU()(x),
    "x - y": lambda x: x - layers.ReLU()(x),
    "x * y": lambda x: x * layers.ReLU()(x),
    "1 - x": lambda x: 1.0 - x,
    "x / 3": lambda x: x / 3.0,
    "per channel": lambda x: x * np.array([1.0, 2.0, 3.0], np.float32) + np.float32(2),
    "hard sigmoid": lambda x: layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0),
    "hard swish": ops.hard_silu,
    "leaky": lambda x: ops.leaky_relu(x, 0.3),
    "mean": lambda x: ops.mean(x, axis=(1, 2), keepdims=True) * x,
    "max": lambda x: x - ops.max(x, axis=[1, 2], keepdims=True),
    "reshape": lambda x: ops.reshape(x, (-1, 64, 3)),
    "transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "concatenate": lambda x: ops.concatenate([x, layers.ReLU()(x)], axis=-1),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))),
    "softmax": lambda x: ops.softmax(x),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_becomes_the_layer_that_computes_it(name):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Flatten()(OPERATIONS[name](image)))
    plain = as_layers(model)
    assert all(isinstance(layer, layers.Layer) for layer in plain.operations)
    pixels = PIXELS / 25 - 5
    np.testing.assert_allclose(answers(plain, pixels), answers(model, pixels), atol=1e-5)


UNLIKE_LAYERS = {
    "padding with 7": lambda x: ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=7.0),
    "a cast of truth values": lambda x: ops.cast(x > 1, "float32"),
    "a lower bound": lambda x: x - ops.max(x, axis=[1, 2], keepdims=True, initial=4.5),
    "log softmax of columns": lambda x: ops.log_softmax(x, axis=1),
}


@pytest.mark.parametrize("name", UNLIKE_LAYERS)
def test_an_operation_that_no_layer_computes_stays(name):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 3)(UNLIKE_LAYERS[name](image))
    model = keras.Model(image, layers.Flatten()(ops.relu(x)))
    plain, pixels = as_layers(model), PIXELS / 25 - 5
    assert plain is not model
    np.testing.assert_allclose(answers(plain, pixels), answers(model, pixels), atol=1e-5)


def test_photographs_become_gray_for_a_model_of_gray_images(tmp_path, capsys):
    from PIL import Image

    from kcnn.cli.export import export

    for part, count in (("train", 40), ("test", 4)):
        for name, brightness in (("dark", 40), ("light", 200)):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                color = (brightness, brightness + number % 9, brightness - 9)
                Image.new("RGB", (8, 8), color).save(folder / f"{number}.png")
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
    )
    signs = np.float32([[-1.0, 1.0]] * 64) / 64
    model.layers[-1].set_weights([signs, np.float32([0.45, -0.45])])
    model.save(tmp_path / "gray.keras")
    export(tmp_path / "gray.keras", tmp_path / "gray.tflite", data=f"folder:{tmp_path / 'photos'}")
    assert "accuracy 100.00%, the Keras model 100.00%" in capsys.readouterr().out
    assert summarize(tmp_path / "gray.tflite").inputs[0].shape == (1, 8, 8, 1)
