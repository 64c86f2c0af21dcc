"""Each family of models against its paper: layers, map sizes, parameters, equations."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.models import build
from kcnn.models.families.resnet import resnet

MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255


def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")


def count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def spatial_sizes(model, layer_class):
    return [layer.output.shape[1] for layer in model.layers if type(layer) is layer_class]


def test_simple_cnn_is_the_chain_of_its_description():
    block = ["Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D", "SpatialDropout2D"]
    assert [layer.__class__.__name__ for layer in build("simple_cnn").layers] == [
        *["ZeroPadding2D", "Normalization", *block, *block],
        *["Flatten", "Dense", "ReLU", "Dropout", "Dense"],
    ]


def test_lenet5_maps_are_the_papers():
    model = build("lenet5")
    shapes = {name: model.get_layer(name).output.shape[1:] for name in ("c1", "s2", "c3", "s4")}
    assert shapes == {"c1": (28, 28, 6), "s2": (14, 14, 6), "c3": (10, 10, 16), "s4": (5, 5, 16)}
    # The paper's fully connected C5 and F6 have 48,120 and 10,164 trainable connections.
    assert [model.get_layer(name).count_params() for name in ("c5", "f6")] == [48_120, 10_164]


def test_alexnet_pools_overlap():
    model = build("alexnet")
    assert spatial_sizes(model, keras.layers.MaxPooling2D) == [15, 7, 3]
    assert spatial_sizes(model, keras.layers.Conv2D) == [32, 15, 7, 7, 7]


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_its_depth_in_weight_layers(depth):
    model = build(f"vgg{depth}", width=2)
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    # The paper has three dense layers, the head for CIFAR one.
    assert len(convs) + 3 == depth
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    assert spatial_sizes(model, keras.layers.MaxPooling2D) == [16, 8, 4, 2, 1]


def test_vgg_without_batch_norm():
    model = build("vgg16", batch_norm=False)
    assert not any("_bn" in layer.name for layer in model.layers)
    assert (count(model.trainable_weights), count(model.non_trainable_weights)) == (14_719_818, 0)


def test_resnet_with_projections():
    assert count(build("resnet20", shortcut="B").trainable_weights) == 272_474


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


def resnet_in_float64(model, images, blocks_per_stage):
    """Run a CIFAR ResNet, shortcut A, on TensorFlow's operations and the paper's equations."""
    weights = {w.path: w.numpy().astype("float64") for w in model.weights}

    def conv_bn(x, name, strides=1, padding="SAME"):
        x = tf.nn.conv2d(x, weights[f"{name}/kernel"], strides, padding)
        bn = [
            weights[f"{name}_bn/{w}"] for w in ("moving_mean", "moving_variance", "gamma", "beta")
        ]
        return (x - bn[0]) / np.sqrt(bn[1] + 1e-3) * bn[2] + bn[3]

    x = (np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))) - MEAN) / STD
    x = tf.nn.relu(conv_bn(x, "stem_conv", padding="VALID"))
    for stage in (1, 2, 3):
        for block in range(1, blocks_per_stage + 1):
            name = f"stage{stage}_block{block}"
            strides = 2 if stage > 1 and block == 1 else 1
            y = tf.nn.relu(conv_bn(x, f"{name}_conv1", strides))
            y = conv_bn(y, f"{name}_conv2")
            new = (y.shape[-1] - x.shape[-1]) // 2
            x = np.pad(x[:, ::strides, ::strides], ((0, 0), (0, 0), (0, 0), (new, new)))
            x = tf.nn.relu(x + y)
    pooled = np.mean(x, axis=(1, 2))
    return pooled @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("name, blocks_per_stage", [("resnet20", 3), ("resnet32", 5)])
def test_resnet_equals_the_papers_equations(name, blocks_per_stage):
    keras.utils.set_random_seed(0)
    model = build(name)
    model(pixels(), training=True)  # moving averages other than the initial ones
    expected = resnet_in_float64(model, pixels(), blocks_per_stage)
    np.testing.assert_allclose(model(pixels(), training=False), expected, rtol=1e-3, atol=1e-3)
