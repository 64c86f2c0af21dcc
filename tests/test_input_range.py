"""Which pixels a model expects, and one clear warning about others."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn import models
from kcnn.models.input_range import changes_pixels, check_range, expected_range

L = keras.layers


def network(*stem, shape=(16, 16, 3), batch_norm=False):
    body = [L.Conv2D(4, 3), *([L.BatchNormalization()] if batch_norm else []), L.ReLU()]
    head = [L.GlobalAveragePooling2D(), L.Dense(3)]
    return keras.Sequential([keras.Input(shape), *stem, *body, *head])


def adapted(pixels):
    layer = L.Normalization()
    layer.adapt(pixels)
    return layer


RAW = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype("uint8")


def functional(scale):
    image = keras.Input((16, 16, 3))
    return keras.Model(image, network()(scale(image)))


EXPECTED = {
    "rescaling": (lambda: network(L.Rescaling(1 / 255)), "0-255"),
    "to -1..1": (lambda: network(L.Rescaling(1 / 127.5, -1)), "0-255"),
    "after other layers": (
        lambda: network(L.RandomFlip(), L.ZeroPadding2D(1), L.Rescaling(1 / 255)),
        "0-255",
    ),
    "adapted": (lambda: network(adapted(RAW)), "0-255"),
    "adapted to 0..1": (lambda: network(adapted(RAW / 255)), "scaled"),
    "of 0..1": (lambda: network(L.Normalization(mean=[0.5] * 3, variance=[0.06] * 3)), "scaled"),
    "by operators": (lambda: functional(lambda x: x / 255.0 - 0.5), "0-255"),
    "inside a nested model": (
        lambda: keras.Sequential([keras.Input((16, 16, 3)), network(L.Rescaling(1 / 255))]),
        "0-255",
    ),
    "none": (lambda: network(), "scaled"),
    "flattened": (
        lambda: keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(2)]),
        "scaled",
    ),
    "a batch norm after the convolution": (lambda: network(batch_norm=True), None),
    "a batch norm": (lambda: network(L.BatchNormalization()), None),
    "no weights": (lambda: keras.Sequential([keras.Input((8, 8, 3)), L.Flatten()]), None),
    "EfficientNet": (
        lambda: keras.applications.EfficientNetB0(input_shape=(32, 32, 3), weights=None),
        "0-255",
    ),
    "MobileNetV2": (
        lambda: keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None),
        "scaled",
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_graph_tells_which_pixels_a_model_expects(name):
    build, expected = EXPECTED[name]
    model = build()
    assert expected_range(model) == expected
    assert changes_pixels(model) == (expected == "0-255" or "0..1" in name)


@pytest.mark.parametrize("name", ["mlp", "simple_cnn", "lenet5", "alexnet", "nin", "resnet8"])
def test_networks_of_kcnn_expect_raw_pixels(name):
    small = {"alexnet": {"dense_units": 4}, "nin": {"width": 4}, "mlp": {"units": 4}}
    assert expected_range(models.build(name, **small.get(name, {}))) == "0-255"


def warned(caplog):
    found = [each.getMessage() for each in caplog.records if "hold numbers of" in each.getMessage()]
    caplog.clear()
    return found


@pytest.mark.parametrize(
    ("model", "images", "said"),
    [
        (network(L.Rescaling(1 / 255)), RAW / 255, "expects raw pixels of 0 to 255"),
        (network(L.Rescaling(1 / 255)), RAW / 127.5 - 1, "leave out your own scaling"),
        (network(L.Rescaling(1 / 255)), (RAW - 125.0) / 63, "leave out your own scaling"),
        (network(L.Rescaling(1 / 255)), RAW // 128, "numbers of 0 to 1, but"),
        (network(L.Rescaling(1 / 255)), RAW, None),
        (network(L.Rescaling(1 / 255)), RAW * 0, None),
        (network(), RAW, r"does not scale them: .*Rescaling"),
        (network(), RAW / 255, None),
        (network(batch_norm=True), RAW, None),
        (network(batch_norm=True), RAW / 255, None),
    ],
)
def test_other_pixels_are_warned_of(caplog, model, images, said):
    check_range(model, images)
    found = warned(caplog)
    assert len(found) == (said is not None)
    if said:
        assert said.split(": .*")[-1] in found[0]


def test_every_door_warns_once(caplog, tmp_path):
    model, labels = network(L.Rescaling(1 / 255)), (np.arange(12) % 3).astype("int32")
    scaled = (RAW / 255).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((scaled, labels)).batch(4)
    kcnn.evaluate(model, data)
    assert len(warned(caplog)) == 1
    kcnn.grad_cam(model, scaled)
    assert len(warned(caplog)) == 1
    kcnn.predict(network(), RAW)
    assert len(warned(caplog)) == 1
    options = {"calibration": RAW, "quantization": "int8"}
    caplog.clear()
    kcnn.export_tflite(network(), tmp_path / "model.tflite", **options)
    (message,) = caplog.messages
    assert "Say what it was trained on: input_range=" in message


@pytest.mark.parametrize("scale", [lambda x: x / 255, lambda x: x])
def test_the_first_batch_of_a_training_is_looked_at(caplog, scale):
    data = kcnn.data.load("digits", limit=60, batch_size=20, augment="none")
    own = data.train.map(lambda x, y: (scale(tf.cast(x, tf.float32)), y))
    data = dataclasses.replace(data, train=own)
    kcnn.train(models.mlp(units=4, depth=1), data, epochs=1)
    bare = keras.Sequential([keras.Input((32, 32, 3)), L.Flatten(), L.Dense(10)])
    assert len(warned(caplog)) == (float(scale(255.0)) <= 1)
    kcnn.train(bare, data, epochs=1)
    assert len(warned(caplog)) == (float(scale(255.0)) > 1)


# Normalization


def constants(model):
    layer = model.get_layer("normalize")
    return np.ravel(layer.mean), np.sqrt(np.ravel(layer.variance))


def test_a_builder_takes_the_normalization_of_its_data():
    mean, std = constants(models.resnet8(normalization="imagenet"))
    np.testing.assert_allclose(mean, [123.675, 116.28, 103.53])
    np.testing.assert_allclose(std, [58.395, 57.12, 57.375])
    mean, std = constants(models.lenet5((32, 32, 1), normalization="mnist"))
    np.testing.assert_allclose([*mean, *std], [0.1307 * 255, 0.3081 * 255])
    mean, std = constants(models.vgg11(width=2, normalization=(100, [50, 60, 70])))
    np.testing.assert_allclose([*mean, *std], [100, 100, 100, 50, 60, 70])
    default, named = (
        constants(models.mlp(units=2, **each)) for each in ({}, {"normalization": "cifar10"})
    )
    np.testing.assert_array_equal(default, named)
    without = models.simple_cnn(normalization=None)
    assert not any(isinstance(layer, L.Normalization) for layer in without.layers)
    assert without.count_params() == models.simple_cnn().count_params()


@pytest.mark.parametrize("name", models.names())
def test_every_builder_takes_it(name):
    assert "normalization" in models.arguments(name)


@pytest.mark.parametrize("shape", [(128, 6), (8, 8, 8, 1)])
def test_series_and_voxels_are_not_normalized_as_images(shape):
    for build in (models.simple_cnn, models.mlp):
        assert not any(isinstance(layer, L.Normalization) for layer in build(shape).layers)
    mean, std = constants(models.simple_cnn(shape, normalization=(0.5, 0.1)))
    np.testing.assert_allclose([mean[0], std[0]], [0.5, 0.1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("imagenett", "Unknown normalization 'imagenett'. Did you mean 'imagenet'"),
        ((0.5, 0.25), "of raw pixels 0-255, and these are of 0-1: multiply"),
        ((100, 0), "with std above 0. Received"),
        (([1, 2], 60), "each a number or 3 of them"),
        (7, r"None, or \(mean, std\).* Received: normalization=7"),
        ((100, 50, 20), "Received: normalization="),
        ((float("nan"), 60), "Received: normalization="),
    ],
)
def test_a_wrong_normalization_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        models.simple_cnn(normalization=given)


# Networks of keras.applications


APPLICATIONS = {
    "MobileNetV2": (keras.applications.mobilenet_v2, {"alpha": 0.35}),
    "ResNet50": (keras.applications.resnet, {}),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_borrowed_network_gets_its_own_preprocessing(name):
    room, options = APPLICATIONS[name]
    keras.utils.set_random_seed(0)
    base = getattr(room, name)(
        include_top=False, input_shape=(32, 32, 3), weights=None, pooling="avg", **options
    )
    model = models.transfer(base, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
    expected = base(room.preprocess_input(pixels.copy()), training=False)
    features = keras.Model(model.inputs[0], model.get_layer("logits").input)
    received = features(pixels, training=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(received, expected, atol=1e-4 * scale)
    assert expected_range(model) == "0-255"
    again = models.transfer(model, 2)  # it has the preprocessing already
    assert sum(isinstance(layer, L.Normalization) for layer in again.layers) == 1


def test_preprocessing_can_be_chosen_or_left_out():
    base = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    assert not changes_pixels(models.transfer(base, 3, preprocessing=None))
    torch = models.transfer(base, 3, preprocessing="torch").get_layer("preprocess")
    np.testing.assert_allclose(np.ravel(torch.mean), [123.675, 116.28, 103.53])
    with pytest.raises(ValueError, match="Unknown preprocessing 'tensorflow'.*Known: auto"):
        models.transfer(base, 3, preprocessing="tensorflow")
    with pytest.raises(ValueError, match="is for RGB images"):
        models.transfer(models.simple_cnn((16, 16, 1)), 3, preprocessing="tf")
