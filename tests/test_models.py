"""Every registered model, through one harness, and each family against its paper."""

import functools
import inspect
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from narrow_models import FIRST, all_in_the_campaign, build_narrow
from sklearn.datasets import load_digits

import kcnn.models
from kcnn.models import MODELS, build, names

# Trainable and other parameters for 32x32x3 and 10 classes. LeNet-5, NIN and the ResNets up to 110
# from their papers, ResNet-8 from MLPerf Tiny, VGG and the wider ResNets as the PyTorch
# implementations of the field count them, the others by hand.
PARAMETERS = {
    "mlp": (1_841_162, 0),
    "simple_cnn": (268_746, 96),
    "lenet5": (61_150, 0),
    "alexnet": (5_726_602, 0),
    "nin": (966_986, 0),
    "vgg11": (9_231_114, 5_504),
    "vgg13": (9_416_010, 5_888),
    "vgg16": (14_728_266, 8_448),
    "vgg19": (20_040_522, 11_008),
    "resnet8": (78_186, 480),
    "resnet20": (269_722, 1_376),
    "resnet32": (464_154, 2_272),
    "resnet44": (658_586, 3_168),
    "resnet56": (853_018, 4_064),
    "resnet110": (1_727_962, 8_096),
    "speed_net": (1_971_640, 2_304),
    "resnet18": (11_173_962, 9_600),
    "resnet34": (21_282_122, 17_024),
    "resnet50": (23_520_842, 53_120),
}

MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255

every_model = pytest.mark.parametrize("name", names())
every_family = pytest.mark.parametrize("name", FIRST)


def pixels(shape=(4, 32, 32, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


@functools.cache
def default_model(name):
    keras.utils.set_random_seed(0)
    return build(name)


@functools.cache
def narrow_model(name):
    keras.utils.set_random_seed(0)
    return build_narrow(name)


def count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def layers_of_kcnn(model):
    """Name the classes that plain Keras does not know; our batch norm answers with Keras's."""
    return {
        layer.__class__.__name__
        for layer in model.layers
        if not layer.__class__.__module__.startswith("keras.")
    }


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
    assert getattr(model.layers[-1], "activation", None) in (None, keras.activations.linear)
    from_uint8 = model(pixels(), training=False)
    assert from_uint8.shape == (4, 10) and from_uint8.dtype == "float32"
    np.testing.assert_array_equal(from_uint8, model(pixels().astype("float32"), training=False))
    assert np.abs(np.sum(from_uint8, axis=1) - 1).max() > 1e-3  # no softmax


@every_model
def test_stem_pads_black_then_normalizes_then_convolves_valid(name):
    model = default_model(name)
    stem = keras.Model(model.inputs[0], model.get_layer("normalize").output)
    border = (stem.output.shape[1] - 32) // 2
    mean_image = np.broadcast_to(MEAN, (1, 32, 32, 3)).astype("float32")
    for image, inside in ((mean_image, 0.0), (mean_image + STD, 1.0)):
        expected = np.broadcast_to(-MEAN / STD, stem.output.shape[1:]).copy()
        expected[border : border + 32, border : border + 32] = inside
        np.testing.assert_allclose(stem(image)[0], expected, atol=1e-5)

    # What export relies on: the normalization folds into the convolution, also at the border.
    reader = model.layers[model.layers.index(model.get_layer("normalize")) + 1]
    if name == "mlp":
        assert isinstance(reader, keras.layers.Flatten)
        return
    conv = reader
    assert type(conv) is keras.layers.Conv2D
    kernel = conv.kernel.numpy() / STD[:, None]
    bias = -np.einsum("hwio,i->o", kernel, MEAN) + (conv.bias.numpy() if conv.use_bias else 0)
    padded = np.pad(pixels(), ((0, 0), (border, border), (border, border), (0, 0)))
    folded = tf.nn.conv2d(padded.astype("float64"), kernel, 1, "VALID") + bias
    actual = keras.Model(model.inputs[0], conv.output)(pixels())
    np.testing.assert_allclose(actual, folded, atol=1e-4)
    assert actual.shape[1] == 32 or name in ("lenet5", "speed_net")


@pytest.mark.parametrize("name", all_in_the_campaign("resnet50"))  # of other blocks
def test_every_weight_gets_a_gradient(name):
    model = narrow_model(name)
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
    normalized = {layer.name.removesuffix("_bn") for layer in batch_norms(model)}
    for path, value in largest.items():
        layer = path.split("/")[-2]
        if path.endswith("/bias") and layer in normalized:
            # Batch norm takes any constant off again: the gradient is nothing but rounding.
            assert value < 1e-3 * largest[path.replace("bias", "kernel")], path
        else:
            assert value > 1e-8, path


def digits(size):
    bunch = load_digits()
    images = np.kron(bunch.images[:32], np.ones((1, size // 8, size // 8))) * 255 / 16
    return np.repeat(images[..., None], 3, axis=-1).astype("uint8"), bunch.target[:32]


def without_dropout(name):
    accepted = inspect.signature(MODELS[name]).parameters
    return {option: 0.0 for option in ("dropout", "spatial_dropout") if option in accepted}


@pytest.mark.parametrize("name", all_in_the_campaign())
def test_learns_32_images(name):
    """A narrow network is trained on 32 images until it knows them all."""
    size = 32 if name.startswith("vgg") else 16
    images, labels = digits(size)
    keras.utils.set_random_seed(0)
    # With ReLU and no batch norm, too few maps stay alive among few.
    wide = {"width": 24} if name == "nin" else {}
    model = build_narrow(name, input_shape=(size, size, 3), **wide, **without_dropout(name))
    for layer in batch_norms(model):
        layer.momentum = 0.2  # the statistics of these images, without a long run
    optimizer = keras.optimizers.Adam(3e-3)
    variables = model.trainable_variables
    for _ in range(30):
        for _ in range(5):
            with tf.GradientTape() as tape:
                logits = model(images, training=True)
                loss = keras.losses.sparse_categorical_crossentropy(labels, logits, True)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.apply(gradients, variables)
        if (np.argmax(model(images, training=False), axis=1) == labels).all():
            return
    pytest.fail(f"the loss is {np.mean(loss):.2f} after 150 steps")


@every_model
def test_saved_and_loaded(name, tmp_path):
    model = narrow_model(name)
    model(pixels(), training=True)  # moving averages other than the initial ones
    model.save(tmp_path / "model.keras")
    own = layers_of_kcnn(model)
    assert own <= {"LocalResponseNormalization", "PartiallyConnectedConv2D"}
    load = kcnn.models.load if own else keras.models.load_model
    loaded = load(tmp_path / "model.keras")
    for layer in loaded.layers:
        assert type(layer).__module__.startswith("keras.") or type(layer).__name__ in own
    np.testing.assert_array_equal(loaded(pixels()), model(pixels()))


@every_family
def test_other_images_and_classes(name):
    model = build(name, input_shape=[48, 48, 1], num_classes=7, name="mine")
    assert model.name == "mine"
    assert model(pixels((2, 48, 48, 1)), training=False).shape == (2, 7)
    normalize = model.get_layer("normalize")
    gray = np.array([MEAN.mean(), MEAN.mean() + STD.mean()], "float32").reshape(2, 1, 1, 1)
    np.testing.assert_allclose(np.ravel(normalize(gray)), [0, 1], atol=1e-5)


@every_family
def test_smallest_image(name):
    if name == "mlp":
        assert build(name, input_shape=(1, 1, 3))(pixels((1, 1, 1, 3))).shape == (1, 10)
        return
    with pytest.raises(ValueError, match=r"at least (\d+)x\1 pixels.*Received") as refusal:
        build(name, input_shape=(1, 1, 3))
    size = int(re.search(r"at least (\d+)x", str(refusal.value))[1])
    assert build(name, input_shape=(size, size, 3))(pixels((1, size, size, 3))).shape == (1, 10)
    with pytest.raises(ValueError, match=f"at least {size}x{size}"):
        build(name, input_shape=(size, size - 1, 3))


@pytest.mark.parametrize("name", ["mlp", "simple_cnn"])
@pytest.mark.parametrize("shape", [(32, 2), (8, 6, 7, 1)])
def test_series_and_voxels(name, shape):
    model = build(name, input_shape=shape)
    assert model(pixels((2, *shape)), training=False).shape == (2, 10)
    assert model.inputs[0].name == ("series" if len(shape) == 2 else "voxels")
    assert not any(layer.name == "normalize" for layer in model.layers)  # they are no pixels
