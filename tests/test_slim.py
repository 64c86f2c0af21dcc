"""Filter pruning: the same function as with the lost channels at zero, and really smaller."""

import inspect

import keras
import numpy as np
import pytest
from narrow_models import build_narrow
from small_models import randomize

import kcnn.data
import kcnn.layers
import kcnn.models
from kcnn.arithmetic import conv_macs, model_arithmetic
from kcnn.arithmetic.layer_calls import calls
from kcnn.compress import check_slim, recover, slim
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier
from kcnn.models import MODELS, names

L = keras.layers


def pixels(shape, count=4):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype("float32")


def registered(name, **options):
    """Return a narrow model whose weights and batch norm statistics are all special."""
    if "activation" in inspect.signature(MODELS[name]).parameters and name != "lenet5":
        # Not zero where its input is negative: what is lost shows.
        options = {"activation": "leaky_relu"} | options
    model = randomize(build_narrow(name, **options))
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:  # so that no depth drowns the image in biases
            weight.assign(1.5 * weight)
    return model


# They read several channels for each that they make: here a channel that is gone is zero.
READERS = (
    *(L.Conv1D, L.Conv2D, L.Conv3D, L.Conv2DTranspose, L.SeparableConv2D, L.Dense),
    *(L.LayerNormalization, L.Normalization, L.Softmax),
    *(kcnn.layers.PartiallyConnectedConv2D, kcnn.layers.LocalResponseNormalization),
)
# They move numbers about: they do the same with ones for channels that are there.
MOVERS = (
    *(L.Add, L.Multiply, L.Maximum, L.Average, L.Concatenate, L.Flatten, L.Reshape, L.Cropping2D),
    *(L.GlobalAveragePooling1D, L.GlobalAveragePooling2D, L.GlobalAveragePooling3D),
    *(L.MaxPooling1D, L.MaxPooling2D, L.MaxPooling3D, L.AveragePooling2D, L.ZeroPadding2D),
    L.UpSampling2D,
)


def reads(layer):
    depthwise = getattr(layer, "groups", 1) == 8  # of 8 channels, in this file
    return isinstance(layer, READERS) and not depthwise


def masked(model, kept, images):
    """Compute, layer by layer, what `model` answers when channels that are gone are zero."""
    values, there = {}, {}  # of each tensor, and which of its channels are there
    for call in calls(model):
        (made,), layer = call.outputs, call.layer
        if not call.inputs:
            values[made], there[made] = images, np.ones(made.shape[-1])
            continue
        inputs = [np.asarray(values[tensor]) for tensor in call.inputs]
        ones = [np.broadcast_to(there[tensor], values[tensor].shape) for tensor in call.inputs]
        if reads(layer):
            inputs = [value * one for value, one in zip(inputs, ones, strict=True)]
        values[made] = layer(inputs if len(inputs) > 1 else inputs[0])
        if layer.name in kept:
            marks = np.isin(np.arange(made.shape[-1]), kept[layer.name])
        elif isinstance(layer, MOVERS):
            ones = [one.astype("float32") for one in ones]
            marks = np.asarray(layer(ones if len(ones) > 1 else ones[0])) > 0
        elif reads(layer):
            assert all(one.all() for one in ones), f"{layer.name} has lost a channel that it reads"
            marks = np.ones(made.shape[-1])
        else:  # channel by channel, at its places alone
            marks = np.repeat(there[call.inputs[0]], made.shape[-1] // inputs[0].shape[-1])
        there[made] = marks.reshape(-1, made.shape[-1]).any(axis=0)
    assert there[made].all()
    return np.asarray(values[made])


def assert_same_function(result, model, images):
    expected = masked(model, result.kept, images)
    received = np.asarray(result.model(images))
    assert np.ptp(expected, axis=0).max() > 1e-3 * np.abs(expected).max()  # it says something
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


# Three of the five ResNets of one builder are left out: they take long and add nothing.
SAME_BUT_DEPTH = ("resnet32", "resnet44", "resnet110")


@pytest.mark.parametrize("name", [name for name in names() if name not in SAME_BUT_DEPTH])
def test_every_model_equals_the_masked_one_and_costs_what_it_says(name):
    model = registered(name)
    weights = [weight.copy() for weight in model.get_weights()]
    result = slim(model, macs=0.5, multiple_of=1)
    assert_same_function(result, model, pixels((32, 32, 3)))
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert result.before == model_arithmetic(model)
    assert result.after == model_arithmetic(result.model)
    assert result.after.parameters == result.model.count_params()
    assert 0.4 * result.before.macs < result.after.macs <= 0.5 * result.before.macs
    names_of_layers = [layer.name for layer in result.model.layers if layer.name != "image"]
    assert names_of_layers == [layer.name for layer in model.layers if layer.name != "image"]
    assert result.model.input_shape == model.input_shape
    assert result.model.output_shape == model.output_shape


@pytest.mark.parametrize("name", ["simple_cnn", "lenet5", "resnet8"])
def test_nothing_removed_is_the_same_model(name):
    model = registered(name)
    result = slim(model, macs=1.0, multiple_of=1)
    assert result.after == result.before
    np.testing.assert_array_equal(result.model(pixels((32, 32, 3))), model(pixels((32, 32, 3))))


@pytest.mark.parametrize(
    "name, options",
    [
        ("resnet20", {"shortcut": "B", "preactivation": True}),
        ("resnet20", {"shortcut": "none"}),
        ("resnet20", {"preactivation": True, "activation": "selu"}),
        ("nin", {"batch_norm": True}),
        ("lenet5", {"variant": "modern"}),
    ],
)
def test_other_variants(name, options):
    model = registered(name, **options)
    images = pixels((32, 32, 3))
    for criterion in ("l1", "batch_norm_scale")[: 1 + (name != "lenet5")]:
        result = slim(model, macs=0.6, multiple_of=1, criterion=criterion)
        assert_same_function(result, model, images)


def zoo():
    """Every other kind of layer that ties, moves or passes channels."""
    image = keras.Input((12, 12, 3))
    x = L.Conv2D(8, 3, padding="same")(image)
    x = L.PReLU(shared_axes=[1, 2])(L.BatchNormalization(center=False)(x))
    gate = L.Dense(4, activation="relu")(L.GlobalAveragePooling2D()(x))
    gate = L.Reshape((1, 1, 8))(L.Dense(8, activation="sigmoid")(gate))
    x = L.Multiply()([x, gate])
    depthwise = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="tanh")(x)
    branches = [
        L.SeparableConv2D(6, 3, padding="same", depth_multiplier=2)(x),
        L.Conv2D(6, 3, padding="same", groups=2)(x),
        L.Conv2D(16, 3, padding="same", groups=8, use_bias=False)(x),
        L.PReLU()(depthwise),
        L.UpSampling2D(2)(L.Conv2D(4, 3, strides=2, padding="same")(x)),
        L.Conv2DTranspose(5, 2, strides=2)(L.MaxPooling2D(2)(x)),
        L.Conv2D(1, 1, activation="sigmoid")(x),
    ]
    x = L.Concatenate()(branches)
    x = L.LayerNormalization()(L.Maximum()([L.Conv2D(7, 1)(x), L.Conv2D(7, 1)(x)]))
    x = L.Multiply()([L.Conv2D(9, 3)(x), L.Conv2D(1, 3)(x)])  # attention: one channel for all
    both = L.Concatenate(axis=1)([x, L.Conv2D(9, 1)(x)])
    x = L.Conv2D(8, 1, activation="softmax")(L.BatchNormalization(axis=1)(both))
    x = L.Dense(11)(L.Dense(10)(x))  # on maps
    return randomize(keras.Model(image, L.Dense(4)(L.Reshape((-1,))(x))))


@pytest.mark.parametrize("criterion, macs", [("l1", 0.5), ("l1", 0.2), ("batch_norm_scale", 0.9)])
def test_other_layers(criterion, macs):
    model = zoo()
    result = slim(model, macs=macs, multiple_of=1, criterion=criterion)
    assert_same_function(result, model, pixels((12, 12, 3)) / 255)
    assert result.after.macs <= macs * result.before.macs


@pytest.mark.parametrize("shape", [(20, 2), (8, 6, 7, 1)])
def test_series_and_voxels(shape):
    model = randomize(kcnn.models.simple_cnn(shape))
    result = slim(model, macs=0.4)
    assert_same_function(result, model, pixels(shape))


def test_a_partially_connected_map_may_lose_all_that_it_sees():
    model = randomize(kcnn.models.lenet5())
    kernel, bias = model.get_layer("c1").get_weights()
    kernel[..., :5] *= 1e-4
    model.get_layer("c1").set_weights([kernel, bias])
    result = slim(model, macs=0.4, multiple_of=1)
    assert result.kept["c1"] == (5,)
    assert [1, 2, 3] not in result.model.get_layer("c3").connections
    assert_same_function(result, model, pixels((32, 32, 3)))


# -- which filters go ------------------------------------------------------------------------------


def two_convolutions():
    layers = [
        keras.Input((8, 8, 3)),
        L.Conv2D(16, 3, name="first"),
        L.BatchNormalization(name="bn"),
    ]
    layers += [L.ReLU(), L.Conv2D(8, 3, name="second"), L.Flatten(), L.Dense(5, name="logits")]
    return randomize(keras.Sequential(layers))


def share_left(first, second):
    left = [6 * 6 * 27 * f + 4 * 4 * 9 * f * s + 16 * s * 5 for f, s in ((first, second), (16, 8))]
    assert conv_macs(3, 16, 3, (6, 6)) == 6 * 6 * 27 * 16
    return left[0] / left[1]


def test_the_weakest_go_and_no_more_than_needed():
    model = two_convolutions()
    for name, weak in (("first", [1, 4, 15]), ("second", [0, 6])):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[..., weak] *= 1e-2
        model.get_layer(name).set_weights([1000 * kernel, bias])  # norms of layers do not compete
    result = slim(model, macs=share_left(13, 6), multiple_of=1)
    assert set(range(16)) - set(result.kept["first"]) == {1, 4, 15}
    assert set(range(8)) - set(result.kept["second"]) == {0, 6}
    assert result.after.macs / result.before.macs == share_left(13, 6)


def test_what_need_not_go_comes_back():
    model = two_convolutions()
    for name, weak, factor in (("first", 3, 1e-3), ("second", 0, 1e-2)):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[..., weak] *= factor
        model.get_layer(name).set_weights([kernel, bias])
    # The weakest is not enough, and the next one is without it.
    assert share_left(15, 8) > share_left(16, 7)
    result = slim(model, macs=share_left(16, 7), multiple_of=1)
    assert result.kept["first"] == tuple(range(16))
    assert result.kept["second"] == tuple(range(1, 8))


def test_batch_norm_scales_decide():
    model = two_convolutions()
    gamma, *rest = model.get_layer("bn").get_weights()
    gamma[[2, 3]] *= -1e-3
    model.get_layer("bn").set_weights([gamma, *rest])
    result = slim(model, macs=share_left(14, 8), multiple_of=1, criterion="batch_norm_scale")
    assert set(range(16)) - set(result.kept["first"]) == {2, 3}
    assert len(result.kept["second"]) == 8  # it has no batch norm


def test_tied_filters_are_judged_together():
    model = randomize(kcnn.models.resnet20(width=8))
    stream = ["stem_conv", *(f"stage1_block{block}_conv2" for block in (1, 2, 3))]
    # Option A: what is channel 3 in the first stage is 4 + 3 in the second, 8 + 4 + 3 in the third.
    stream = {name: 3 for name in stream}
    stream |= {f"stage2_block{block}_conv2": 7 for block in (1, 2, 3)}
    stream |= {f"stage3_block{block}_conv2": 15 for block in (1, 2, 3)}
    for name, filter_ in stream.items():
        layer = model.get_layer(name)
        kernel = np.array(layer.kernel)
        kernel[..., filter_] *= 1e-3
        layer.kernel.assign(kernel)
    result = slim(model, macs=0.99, multiple_of=1)
    for name, filter_ in stream.items():
        layer = model.get_layer(name)
        assert result.kept[name] == tuple(i for i in range(layer.filters) if i != filter_)


def test_multiples_and_excluded_layers():
    model = randomize(kcnn.models.resnet20())
    result = slim(model, macs=0.5, exclude=["stage3_block2_conv1", "stage1_block1_relu"])
    counts = {name: len(filters) for name, filters in result.kept.items()}
    assert counts.pop("logits") == 10
    assert {count % 8 for count in counts.values()} == {0}
    assert counts["stage3_block2_conv1"] == 64 and counts["stem_conv"] == 16
    assert min(counts.values()) == 8
    assert_same_function(result, model, pixels((32, 32, 3)))


# -- what comes after ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "resnet20"])
def test_is_saved_and_becomes_int8(name, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype("uint8")
    options = {"activation": "relu"} if name == "resnet20" else {}
    result = slim(registered(name, **options), macs=0.6, multiple_of=1)
    expected = np.asarray(result.model(images))
    kcnn.models.save(result.model, tmp_path / "slim.keras")
    load = kcnn.models.load if name in ("lenet5", "alexnet") else keras.models.load_model
    loaded = load(tmp_path / "slim.keras")
    np.testing.assert_array_equal(loaded(images), expected)
    export_tflite(loaded, tmp_path / "slim.tflite", calibration=images)
    received = TFLiteClassifier(tmp_path / "slim.tflite")(images)
    assert np.abs(received - expected).mean() < 0.1 * np.ptp(expected)


def test_trains_on_with_the_fast_batch_norm():
    result = slim(registered("resnet8"), macs=0.5, multiple_of=1)
    assert type(result.model.get_layer("stem_conv_bn")) is kcnn.layers.BatchNormalization
    result.model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kernels = [weight for weight in result.model.weights if len(weight.shape) > 1]
    before = [np.array(kernel) for kernel in kernels]
    assert np.isfinite(result.model.train_on_batch(pixels((32, 32, 3)), np.arange(4)))
    assert all((old != np.array(new)).any() for old, new in zip(before, kernels, strict=True))


@pytest.mark.parametrize("with_teacher", [True, False])
def test_recovers_with_the_original_as_teacher_or_without(with_teacher):
    data = kcnn.data.load("digits", limit=200, batch_size=20, augment="none")
    keras.utils.set_random_seed(0)
    model = kcnn.models.build("simple_cnn")
    before = model.get_weights()
    slim_model = slim(model, macs=0.5).model
    teacher = model if with_teacher else None
    result = recover(slim_model, data, teacher=teacher, epochs=3, learning_rate=0.01)
    assert result.model is slim_model
    assert result.history["loss"][-1] < result.history["loss"][0]
    rates = result.history["learning_rate"]
    assert rates == sorted(rates, reverse=True) and rates[0] <= 0.01 and rates[-1] < 1e-4
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# -- refusals --------------------------------------------------------------------------------------


class Mixer(L.Layer):
    def call(self, inputs):
        return inputs[..., ::-1]


def refused(*middle, twice=False):
    image = keras.Input((8, 8, 3))
    x = conv = L.Conv2D(3, 3, padding="same", name="conv")(image)
    for layer in middle:
        x = layer(x)
    if twice:
        x = middle[-1](x)
    return conv, keras.Model(image, L.Dense(2)(L.Flatten()(x)))


@pytest.mark.parametrize("refuse", [slim, check_slim])
def test_what_cannot_be_followed_is_named(refuse):
    with pytest.raises(ValueError, match="'relu' is called 2 times"):
        refuse(refused(L.ReLU(name="relu"), twice=True)[1])
    conv, model = refused()
    with pytest.raises(ValueError, match="operation on tensors: use a layer"):
        refuse(keras.Model(model.inputs[0], conv**3))
    with pytest.raises(ValueError, match="'mixer' .Mixer. stands in the way.*Name it in exclude"):
        refuse(refused(Mixer(name="mixer"))[1])
    with pytest.raises(ValueError, match="channels_first"):
        refuse(refused(L.Flatten(data_format="channels_first"))[1])
    with pytest.raises(ValueError, match="needs a model with one output. Received: .*outputs conv"):
        refuse(keras.Model(model.inputs[0], [conv, model.outputs[0]]))


def test_an_excluded_unknown_layer_keeps_its_channels():
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, name="before")(L.Conv2D(6, 3, name="free")(image))
    x = L.Conv2D(6, 3, name="after")(Mixer(name="mixer")(x))
    model = randomize(keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(x))))
    result = slim(model, macs=0.5, multiple_of=1, exclude=["mixer"])
    assert len(result.kept["before"]) == 6
    assert len(result.kept["free"]) < 6
    expected = masked(model, result.kept, pixels((8, 8, 3)))
    np.testing.assert_allclose(result.model(pixels((8, 8, 3))), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("refuse", [slim, check_slim])
def test_arguments(refuse):
    model = two_convolutions()
    for macs in (0, 1.1, True, "half"):
        with pytest.raises(ValueError, match="macs must be above 0 and at most 1"):
            refuse(model, macs=macs)
    with pytest.raises(ValueError, match="multiple_of must be an integer of at least 1"):
        refuse(model, multiple_of=0)
    with pytest.raises(ValueError, match="Unknown criterion 'l2'"):
        refuse(model, criterion="l2")
    with pytest.raises(ValueError, match="Unknown layer 'frist'.*first"):
        refuse(model, exclude=["frist"])
    with pytest.raises(ValueError, match="names of layers"):
        refuse(model, exclude="first")
    once = slim(model, macs=0.9, multiple_of=1, exclude=iter(["first"]))
    assert once.kept == slim(model, macs=0.9, multiple_of=1, exclude=["first"]).kept
    assert once.kept != slim(model, macs=0.9, multiple_of=1).kept
    with pytest.raises(ValueError, match=r"macs must be at least (0\.\d+).*multiple_of=8") as error:
        refuse(model, macs=0.1)
    least = float(str(error.value).split("at least ")[1].split()[0])
    check_slim(model, macs=least)
    assert slim(model, macs=least).after.macs <= least * slim(model, macs=1).before.macs
    with pytest.raises(ValueError, match="macs must be at least 1.0 .*'batch_norm_scale'"):
        refuse(refused()[1], criterion="batch_norm_scale", multiple_of=1)
