"""Arithmetic of convolutions and models: against Keras's layers, papers and what pixels do."""

import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest

import kcnn.layers
from kcnn.arithmetic import (
    conv_macs,
    conv_parameters,
    model_arithmetic,
    output_size,
    same_padding,
)

layers = keras.layers


def model_of(*body, shape=(12, 12, 4)):
    return keras.Sequential([keras.Input(shape), *body])


@pytest.mark.parametrize("padding", ["valid", "same", "full", 0, 1, 3])
def test_output_size_is_that_of_keras_layers(padding):
    for size, kernel, stride, dilation in itertools.product(
        (1, 4, 7, 12), (1, 2, 3, 5), (1, 2, 3), (1, 2)
    ):
        if stride > 1 and dilation > 1:
            continue  # Keras has no such layer
        border = {"full": dilation * (kernel - 1), "valid": 0, "same": 0}.get(padding, padding)
        arguments = {"stride": stride, "padding": padding, "dilation": dilation}
        if padding != "same" and size + 2 * border < dilation * (kernel - 1) + 1:
            with pytest.raises(ValueError, match=f"spans {dilation * (kernel - 1) + 1} pixels"):
                output_size(size, kernel, **arguments)
            continue
        layer = layers.Conv1D(
            1,
            kernel,
            strides=stride,
            dilation_rate=dilation,
            padding="same" if padding == "same" else "valid",
        )
        expected = layer.compute_output_shape((None, size + 2 * border, 1))[1]
        assert output_size(size, kernel, **arguments) == expected


def test_same_padding_keeps_the_size():
    for kernel, dilation, size in itertools.product((1, 3, 5, 7), (1, 2, 3), (9, 32)):
        border, odd = divmod(same_padding(kernel, dilation), 2)
        assert odd == 0
        assert output_size(size, kernel, padding=border, dilation=dilation) == size


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: output_size(0, 3), "size must be an integer of at least 1"),
        (lambda: output_size(8, 3, stride=0), "stride must be"),
        (lambda: output_size(8, 3, padding="sane"), "Did you mean 'same'"),
        (lambda: output_size(8, 3, padding=-1), "padding must be an integer of at least 0"),
        (lambda: same_padding(2.0), "kernel must be"),
        (lambda: conv_parameters(6, 4, 3, groups=4), "groups must divide 6 channels"),
        (lambda: conv_macs(6, 4, 3, (8, 0)), "outputs must be"),
    ],
)
def test_impossible_convolutions_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_two_standing_examples():
    def weights(*arguments):
        return conv_parameters(*arguments, bias=False)

    assert (2 * weights(64, 64, 3), weights(64, 64, 5)) == (73_728, 102_400)
    assert weights(128, 32, 1) + weights(32, 128, 3) == 40_960
    assert weights(128, 128, 3) == 147_456


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(6, 3, strides=2), (11, 4)),
        (layers.Conv2D(6, 3, padding="same", groups=2, use_bias=False), (9, 8, 4)),
        (layers.Conv3D(2, 3, dilation_rate=2), (6, 7, 8, 3)),
    ],
)
def test_one_convolution_as_layer_and_by_hand(layer, shape):
    model = model_of(layer, shape=shape)
    options = {"groups": layer.groups}
    (row,) = model_arithmetic(model).layers
    assert row.parameters == conv_parameters(
        shape[-1],
        layer.filters,
        3,
        rank=len(shape) - 1,
        bias=layer.use_bias,
        **options,
    )
    outputs = model.output_shape[1:-1]
    assert row.macs == conv_macs(shape[-1], layer.filters, 3, outputs, **options)
    assert row.kind == layer.__class__.__name__
    assert row.output_shape == model.output_shape


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 100 * 9 * 4 * 2),
        (layers.SeparableConv2D(5, 3, depth_multiplier=2), 100 * (9 * 8 + 8 * 5)),
        # Each of 144 pixels is multiplied by a 3x3x5 kernel for each of 4 channels.
        (layers.Conv2DTranspose(5, 3, strides=2), 144 * 9 * 4 * 5),
        (layers.Dense(7), 144 * 4 * 7),
        # Seven links: seven kernels of 3x3.
        (kcnn.layers.PartiallyConnectedConv2D([(0, 1, 2), (3,), (0, 2, 3)], 3), 100 * 9 * 7),
        (layers.BatchNormalization(), 0),
        (layers.LayerNormalization(axis=(1, 2)), 0),
        (layers.PReLU(), 0),
        (layers.MaxPooling2D(), 0),
    ],
)
def test_macs_of_every_kind_of_layer(layer, macs):
    model = model_of(layer)
    cost = model_arithmetic(model)
    assert cost.macs == macs
    assert cost.parameters == model.count_params()


# As their authors (MACs in millions) and Araujo et al. (2019) tell them for 224x224 pixels:
# https://distill.pub/2019/computing-receptive-fields
@pytest.mark.parametrize(
    ("build", "parameters", "millions", "field"),
    [
        (keras.applications.MobileNet, 4_253_864, 569, 315),
        (keras.applications.MobileNetV2, 3_538_984, 301, 491),
    ],
)
def test_published_networks(build, parameters, millions, field):
    cost = model_arithmetic(build(weights=None))
    assert cost.parameters == parameters
    assert round(cost.macs / 1e6) == millions
    assert cost.receptive_field == (field, field)


def branched():
    """Two paths of different reach, strides, dilation, padding, and a map that is pooled."""
    image = keras.Input((64, 48, 1))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(2, (3, 5), name="first")(x)
    x = layers.AveragePooling2D(2, name="pool")(x)
    near = layers.Conv2D(2, 1, strides=2, padding="same", name="near")(x)
    x = layers.Conv2D(2, 3, dilation_rate=2, padding="same", name="wide")(x)
    far = layers.Conv2D(2, 3, strides=2, padding="same", name="far")(x)
    x = layers.Conv2D(1, 3, padding="same", name="last")(layers.Add()([near, far]))
    return keras.Model(image, layers.Dense(3)(layers.GlobalMaxPooling2D()(x)))


def test_receptive_field_is_what_moves_a_unit():
    model = branched()
    maps = keras.Model(model.inputs[0], model.get_layer("last").output)
    maps.set_weights([np.ones_like(weights) for weights in maps.get_weights()])
    image = np.zeros((1, 64, 48, 1), "float32")
    before = maps(image).numpy()
    row, column = before.shape[1] // 2, before.shape[2] // 2
    pixels = np.eye(64 * 48, dtype="float32").reshape(-1, 64, 48, 1)
    moved = np.concatenate([maps(part).numpy() for part in np.split(pixels, 16)])
    seen = (moved - before)[:, row, column, 0].reshape(64, 48) != 0
    extent = tuple(np.ptp(axis) + 1 for axis in np.nonzero(seen))
    assert model_arithmetic(model).receptive_field == extent


def test_parameters_of_a_shared_layer_count_once_and_its_work_each_time():
    image = keras.Input((8, 8, 3))
    inner = model_of(
        layers.Conv2D(4, 3, name="conv"), layers.Flatten(), layers.Dense(2), shape=(8, 8, 3)
    )
    inner.name = "inner"
    both = layers.Concatenate()([inner(image), inner(layers.Rescaling(2.0)(image))])
    model = keras.Model(image, both)
    model.get_layer("inner").layers[0].trainable = False
    cost, once = model_arithmetic(model), model_arithmetic(inner)
    assert cost.macs == 2 * once.macs == 2 * (36 * 27 * 4 + 144 * 2)
    assert cost.parameters == once.parameters == model.count_params()
    assert cost.trainable_parameters == 144 * 2 + 2
    assert [row.name for row in cost.layers].count("inner/conv") == 2
    assert sum(row.macs for row in cost.layers) == cost.macs
    assert sum(row.parameters for row in cost.layers) == cost.parameters
    assert cost.receptive_field == (3, 3)


class Hidden(keras.Model):
    def call(self, inputs):
        return inputs


def attended():
    image = keras.Input((6, 4))
    return keras.Model(image, layers.Dot(axes=2)([image, image]))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: model_of(layers.LSTM(3, name="memory"), shape=(6, 4)), "'memory' is a LSTM"),
        (attended, "is a Dot"),
        (lambda: Hidden(name="hidden"), "'hidden' must be a built graph"),
        (lambda: keras.Sequential([layers.Dense(2)]), "must be a built graph"),
        (lambda: model_of(layers.Conv2D(2, 3), shape=(None, None, 3)), "its full shape"),
    ],
)
def test_what_cannot_be_counted_is_refused(build, words):
    with pytest.raises(ValueError, match=words):
        model_arithmetic(build())


@pytest.mark.parametrize(
    "body",
    [
        (layers.Flatten(), layers.Dense(2)),
        (layers.Conv2D(2, 3), layers.UpSampling2D(), layers.Conv2D(2, 3)),
    ],
)
def test_no_receptive_field_where_there_is_none_to_tell(body):
    assert model_arithmetic(model_of(*body)).receptive_field is None


def test_whole_numbers_need_no_keras():
    code = (
        "import sys; from kcnn.arithmetic import output_size; output_size(32, 3); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
