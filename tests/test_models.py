"""Every registered model, through one harness, and each family against its paper."""

import functools
import inspect
import math
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn.models
from kcnn.models import FAMILIES, MODELS, build, names

# Trainable and other parameters for 32x32x3 and 10 classes. LeNet-5 and the ResNets from their
# papers, VGG as the PyTorch implementations of the field count them, the others by hand.
PARAMETERS = {
    "simple_cnn": (268_746, 96),
    "lenet5": (62_006, 0),
    "alexnet": (7_141_098, 2_752),
    "vgg11": (9_231_114, 5_504),
    "vgg13": (9_416_010, 5_888),
    "vgg16": (14_728_266, 8_448),
    "vgg19": (20_040_522, 11_008),
    "resnet20": (269_722, 1_376),
    "resnet32": (464_154, 2_272),
    "resnet44": (658_586, 3_168),
    "resnet56": (853_018, 4_064),
    "resnet110": (1_727_962, 8_096),
}

MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255

every_model = pytest.mark.parametrize("name", names())
every_family = pytest.mark.parametrize("name", [builders[0] for builders in FAMILIES.values()])


def pixels(shape=(4, 32, 32, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


@functools.cache
def default_model(name):
    keras.utils.set_random_seed(0)
    model = build(name)
    model(pixels(), training=True)  # moving averages other than the initial ones
    return model


def count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def batch_norms(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


@every_model
def test_parameter_counts(name):
    model = default_model(name)
    trainable, other = PARAMETERS[name]
    assert (count(model.trainable_weights), count(model.non_trainable_weights)) == (
        trainable,
        other,
    )


@every_model
def test_signature(name):
    parameters = inspect.signature(MODELS[name]).parameters
    assert list(parameters)[:2] == ["input_shape", "num_classes"]
    assert parameters["input_shape"].default == (32, 32, 3)
    assert parameters["num_classes"].default == 10
    assert parameters["name"].default == default_model(name).name == name


@every_model
def test_raw_pixels_in_logits_out(name):
    model = default_model(name)
    assert [image.name for image in model.inputs] == ["image"]
    assert model.layers[-1].name == "logits"
    assert model.layers[-1].activation is keras.activations.linear
    from_uint8 = model(pixels(), training=False)
    assert from_uint8.shape == (4, 10) and from_uint8.dtype == "float32"
    np.testing.assert_array_equal(from_uint8, model(pixels().astype("float32"), training=False))
    assert np.abs(np.sum(from_uint8, axis=1) - 1).max() > 1e-3  # no softmax


@every_model
def test_stem_pads_black_then_normalises_then_convolves_valid(name):
    model = default_model(name)
    stem = keras.Model(model.inputs[0], model.get_layer("normalize").output)
    border = (stem.output.shape[1] - 32) // 2
    mean_image = np.broadcast_to(MEAN, (1, 32, 32, 3)).astype("float32")
    for image, inside in ((mean_image, 0.0), (mean_image + STD, 1.0)):
        expected = np.broadcast_to(-MEAN / STD, stem.output.shape[1:]).copy()
        expected[border : border + 32, border : border + 32] = inside
        np.testing.assert_allclose(stem(image)[0], expected, atol=1e-5)

    # What export relies on: the normalisation folds into the convolution, also at the border.
    conv = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    kernel = conv.kernel.numpy() / STD[:, None]
    bias = -np.einsum("hwio,i->o", kernel, MEAN) + (conv.bias.numpy() if conv.use_bias else 0)
    padded = np.pad(pixels(), ((0, 0), (border, border), (border, border), (0, 0)))
    folded = tf.nn.conv2d(padded.astype("float64"), kernel, 1, "VALID") + bias
    actual = keras.Model(model.inputs[0], conv.output)(pixels())
    np.testing.assert_allclose(actual, folded, atol=1e-4)
    assert actual.shape[1] == 32 or name == "lenet5"


@every_model
def test_every_weight_gets_a_gradient(name):
    model = default_model(name)
    variables = model.trainable_variables
    labels = np.arange(4)
    with tf.GradientTape() as tape:
        logits = model(pixels(), training=True)
        loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    largest = {
        variable.path: np.abs(gradient).max()
        for variable, gradient in zip(variables, gradients, strict=True)
    }
    assert np.isfinite(list(largest.values())).all()
    normalised = {layer.name.removesuffix("_bn") for layer in batch_norms(model)}
    for path, value in largest.items():
        layer = path.split("/")[-2]
        if path.endswith("/bias") and layer in normalised:
            # Batch norm takes any constant off again: the gradient is nothing but rounding.
            assert value < 1e-3 * largest[path.replace("bias", "kernel")], path
        else:
            assert value > 1e-8, path


@every_model
def test_saved_as_stock_keras(name, tmp_path):
    model = default_model(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for layer in loaded.layers:
        assert type(layer).__module__.startswith("keras."), layer.name
    np.testing.assert_array_equal(loaded(pixels()), model(pixels()))


@every_family
def test_other_images_and_classes(name):
    model = build(name, input_shape=[48, 48, 1], num_classes=7, name="mine")
    assert model.name == "mine"
    assert model(pixels((2, 48, 48, 1)), training=False).shape == (2, 7)
    normalize = model.get_layer("normalize")
    grey = np.array([MEAN.mean(), MEAN.mean() + STD.mean()], "float32").reshape(2, 1, 1, 1)
    np.testing.assert_allclose(np.ravel(normalize(grey)), [0, 1], atol=1e-5)


@every_family
def test_smallest_image(name):
    with pytest.raises(ValueError, match=r"at least (\d+)x\1 pixels.*Received") as refusal:
        build(name, input_shape=(1, 1, 3))
    size = int(re.search(r"at least (\d+)x", str(refusal.value))[1])
    assert build(name, input_shape=(size, size, 3))(pixels((1, size, size, 3))).shape == (1, 10)
    with pytest.raises(ValueError, match=f"at least {size}x{size}"):
        build(name, input_shape=(size, size - 1, 3))


@every_family
@pytest.mark.parametrize(
    "argument, value",
    [
        *[("input_shape", bad) for bad in [(32, 32), (32, 32, 0), (32.0, 32, 3), "32", None, 32]],
        *[("num_classes", bad) for bad in [1, 0, -3, 2.5, "10", True, None]],
    ],
)
def test_bad_shape_or_classes(name, argument, value):
    with pytest.raises(ValueError, match=rf"{argument} must be .* Received: {argument}="):
        build(name, **{argument: value})


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("simple_cnn", {"dropout": 1.0}, "dropout must be at least 0 and below 1. Received"),
        ("simple_cnn", {"spatial_dropout": -0.1}, "spatial_dropout must be .* Received"),
        ("alexnet", {"dropout": "half"}, "dropout must be .* Received"),
        ("alexnet", {"dense_units": 0}, "dense_units must be .* at least 1. Received"),
        ("vgg11", {"width": 1.5}, "width must be .* at least 1. Received"),
        ("vgg11", {"batch_norm": "no"}, "batch_norm must be True or False. Received"),
        ("resnet20", {"width": True}, "width must be .* at least 1. Received"),
        ("resnet20", {"shortcut": "C"}, "Unknown shortcut 'C'. .*Known: A, B"),
    ],
)
def test_bad_options(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(name, **arguments)


# The registry


def test_unknown_names_have_a_suggestion():
    with pytest.raises(ValueError, match="Unknown model 'resnet_20'. Did you mean 'resnet20'?"):
        build("resnet_20")
    with pytest.raises(ValueError, match="'widht'. Did you mean 'width'?.*num_classes"):
        build("resnet20", widht=8)
    with pytest.raises(AttributeError, match="resnet21"):
        kcnn.models.resnet21  # noqa: B018
    with pytest.raises(KeyError):
        MODELS["resnet21"]


@every_model
def test_registry_and_attribute_are_one_builder(name):
    assert getattr(kcnn.models, name) is MODELS[name]
    assert MODELS[name].__name__ == name
    assert name in dir(kcnn.models)
    assert list(MODELS) == list(names())


def test_listing_names_does_not_import_keras():
    code = (
        "import sys, kcnn.models as m; m.names(); dir(m); len(m.MODELS); 'vgg16' in m.MODELS;"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
