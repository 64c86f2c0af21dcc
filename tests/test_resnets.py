"""Every residual network against its paper's equations and its benchmark's code."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.arithmetic import model_macs
from kcnn.models import build
from kcnn.models.families.resnet import resnet

MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255


def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")


def count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


@pytest.mark.parametrize(
    "options, trainable",
    [
        ({"shortcut": "B"}, 272_474),
        ({"shortcut": "none"}, 269_722),
        ({"preactivation": True}, 269_722),
        # The authors' projections before an addition have no batch norm: two of 32 and 64 less.
        ({"preactivation": True, "shortcut": "B"}, 272_474 - 2 * (32 + 64)),
    ],
)
def test_resnet_variants(options, trainable):
    model = build("resnet20", **options)
    assert count(model.trainable_weights) == trainable
    adds = sum(isinstance(layer, keras.layers.Add) for layer in model.layers)
    assert adds == (0 if options.get("shortcut") == "none" else 9)


def test_resnet_of_any_depth():
    assert count(resnet(8).trainable_weights) == 75_290
    for depth in (2, 21, 20.0):
        with pytest.raises(ValueError, match=f"depth must be 6n.*Received: depth={depth}"):
            resnet(depth)


def test_resnet_shortcut_subsamples_and_pads_with_zeros():
    model = build("resnet20", width=3)  # 3 new channels: one before, two after
    for last in ("stage2_block1_conv2_bn", "stage3_block1_conv2_bn"):
        model.get_layer(last).gamma.assign(keras.ops.zeros_like(model.get_layer(last).gamma))
    ends = ["stage1_block3_relu", "stage2_block1_relu", "stage2_block3_relu", "stage3_block1_relu"]
    values = keras.Model(model.inputs[0], [model.get_layer(end).output for end in ends])(pixels())
    for before, after, widths in ((0, 1, (1, 2)), (2, 3, (3, 3))):
        expected = np.pad(values[before][:, ::2, ::2], ((0, 0), (0, 0), (0, 0), widths))
        assert expected.max() > 0
        np.testing.assert_array_equal(values[after], expected)


class Float64:
    """The operations of the papers' equations in float64, with the weights of a model."""

    def __init__(self, model):
        self.weights = {w.path: w.numpy().astype("float64") for w in model.weights}

    def conv(self, x, name, strides=1, padding="SAME"):
        y = tf.nn.conv2d(x, self.weights[f"{name}/kernel"], strides, padding)
        return y + self.weights.get(f"{name}/bias", 0)

    def normalize(self, x, name):
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (self.weights[f"{name}_bn/{each}"] for each in names)
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def conv_bn(self, x, name, strides=1, padding="SAME"):
        return self.normalize(self.conv(x, name, strides, padding), name)

    def stem(self, images, size=3, strides=1):
        side = (size // 2, size // 2)
        x = (np.pad(images, ((0, 0), side, side, (0, 0))) - MEAN) / STD
        return self.conv(x, "stem_conv", strides, padding="VALID")

    def logits(self, x):
        return np.mean(x, axis=(1, 2)) @ self.weights["logits/kernel"] + self.weights["logits/bias"]


def subsample_and_pad(x, filters, strides):
    new = (filters - x.shape[-1]) // 2
    return np.pad(x[:, ::strides, ::strides], ((0, 0), (0, 0), (0, 0), (new, new)))


def resnet_in_float64(model, images, blocks_per_stage, shortcut="A", preactivation=False):
    """Run a CIFAR ResNet by the equations of the papers of 2015 and, preactivated, of 2016."""
    net, relu = Float64(model), tf.nn.relu
    x = net.stem(images)
    x = x if preactivation else relu(net.normalize(x, "stem_conv"))
    for stage in (1, 2, 3):
        for block in range(1, blocks_per_stage + 1):
            name = f"stage{stage}_block{block}"
            strides = 2 if stage > 1 and block == 1 else 1
            if preactivation:
                y = relu(net.normalize(x, f"{name}_conv1"))
                x = y if block == 1 else x
                y = net.conv(y, f"{name}_conv1", strides)
                y = net.conv(relu(net.normalize(y, f"{name}_conv2")), f"{name}_conv2")
            else:
                y = relu(net.conv_bn(x, f"{name}_conv1", strides))
                y = net.conv_bn(y, f"{name}_conv2")
            if shortcut == "B" and strides > 1:
                project = net.conv if preactivation else net.conv_bn
                x = project(x, f"{name}_project", strides)
            elif shortcut != "none":
                x = subsample_and_pad(x, y.shape[-1], strides)
            x = y if shortcut == "none" else x + y
            x = x if preactivation else relu(x)
    return net.logits(relu(net.normalize(x, "last")) if preactivation else x)


def warmed_up(name, **options):
    """Build a model whose moving averages and biases are other than the initial ones."""
    keras.utils.set_random_seed(0)
    model = build(name, **options)
    random = np.random.default_rng(2)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + random.normal(0, 0.1, variable.shape))
    model(pixels(), training=True)
    return model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shortcut": "B"},
        {"shortcut": "none"},
        {"preactivation": True},
        {"preactivation": True, "shortcut": "B"},
    ],
)
def test_resnet_equals_the_papers_equations(options):
    model = warmed_up("resnet20", width=8, **options)
    expected = resnet_in_float64(model, pixels(), blocks_per_stage=3, **options)
    np.testing.assert_allclose(model(pixels(), training=False), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stem", ["cifar", "paper"])
@pytest.mark.parametrize("name, repeats", [("resnet18", (2, 2, 2, 2)), ("resnet50", (3, 4, 6, 3))])
def test_wide_resnet_equals_the_papers_equations(name, repeats, stem):
    model = warmed_up(name, width=4, stem=stem)
    net, relu = Float64(model), tf.nn.relu
    if stem == "paper":
        x = relu(net.normalize(net.stem(pixels(), 7, 2), "stem_conv"))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    else:
        x = relu(net.normalize(net.stem(pixels()), "stem_conv"))
    for stage, count_of_units in enumerate(repeats, start=1):
        for block in range(1, count_of_units + 1):
            unit, strides = f"stage{stage}_block{block}", 2 if stage > 1 and block == 1 else 1
            if name == "resnet18":
                y = relu(net.conv_bn(x, f"{unit}_conv1", strides))
                y = net.conv_bn(y, f"{unit}_conv2")
            else:
                y = relu(net.conv_bn(x, f"{unit}_conv1"))
                y = relu(net.conv_bn(y, f"{unit}_conv2", strides))
                y = net.conv_bn(y, f"{unit}_conv3")
            if x.shape != y.shape:
                x = net.conv_bn(x, f"{unit}_project", strides)
            x = relu(x + y)
    expected = net.logits(x)
    side = 1 if stem == "paper" else 4
    assert x.shape[1:] == (side, side, 32 if name == "resnet18" else 128)
    np.testing.assert_allclose(model(pixels(), training=False), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name, parameters, macs",
    [
        ("resnet18", 11_689_512, 1_814_073_344),
        ("resnet34", 21_797_672, 3_663_761_408),
        ("resnet50", 25_557_032, 4_089_184_256),
    ],
)
def test_the_papers_networks_for_photographs_cost_what_torchvisions_do(name, parameters, macs):
    """Whose strides are in the 3x3 convolutions, too; counts of torchvision and of fvcore."""
    model = build(name, input_shape=(224, 224, 3), num_classes=1000, stem="paper")
    assert count(model.trainable_weights) == parameters
    assert model_macs(model) == macs


def test_a_stem_of_another_name_and_photographs_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="Unknown stem 'imagenet'. Known: cifar, paper"):
        build("resnet18", stem="imagenet")
    with pytest.raises(ValueError, match="32x32"):
        build("resnet18", input_shape=(28, 28, 3), stem="paper")


def mlperf_tiny_resnet8():
    """Build it as mlcommons/tiny does (image_classification/keras_model.py), behind the input."""
    layers = keras.layers
    image = keras.Input((34, 34, 3))

    def conv(x, filters, size, strides=1, padding="same"):
        return layers.Conv2D(filters, size, strides=strides, padding=padding)(x)

    x = layers.ReLU()(layers.BatchNormalization()(conv(image, 16, 3, padding="valid")))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, 3, strides)))
        y = layers.BatchNormalization()(conv(y, filters, 3))
        x = x if strides == 1 else conv(x, filters, 1, strides)
        x = layers.ReLU()(layers.add([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(10)(x))


def test_resnet8_is_the_one_of_mlperf_tiny():
    model, reference = warmed_up("resnet8"), mlperf_tiny_resnet8()
    assert model.count_params() == reference.count_params() == 78_666
    reference.set_weights(model.get_weights())
    stem = keras.Model(model.inputs[0], model.get_layer("normalize").output)
    expected = reference(stem(pixels()))
    np.testing.assert_allclose(model(pixels(), training=False), expected, atol=1e-4)
