"""Pruning through the bridge: exact, complete, and without a trace in the caller's process."""

import dataclasses
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from narrow_models import build_narrow

import kcnn.data
import kcnn.models
from kcnn.compress import check_prune, prune, sparsity
from kcnn.compress.child import start_child
from kcnn.compress.keras2_equivalents import EQUIVALENT_ACTIVATIONS, EQUIVALENT_OPTIONS
from kcnn.compress.to_keras2 import write_job
from kcnn.layers import (
    BatchNormalization,
    LocalResponseNormalization,
    PartiallyConnectedConv2D,
)

L = keras.layers


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", batch_size=64, augment="none")


def small_net():
    """A residual network of layers, options and names of many kinds."""
    image = keras.Input((32, 32, 3), name="image")
    x = L.Rescaling(1 / 255)(image)
    x = L.Conv2D(12, 3, strides=2, kernel_regularizer="l2", name="stem.conv-1")(x)
    x = BatchNormalization(momentum=0.8)(x)
    x = L.ReLU()(x)
    x = LocalResponseNormalization()(L.MaxPooling2D()(x))
    y = L.Conv2D(12, 3, padding="same", use_bias=False)(x)
    y = PartiallyConnectedConv2D([(i, (i + 1) % 12, (i + 5) % 12) for i in range(12)], 1)(y)
    y = L.ReLU()(BatchNormalization(momentum=0.8)(y))
    x = L.Flatten()(L.Add()([x, y]))
    return keras.Model(image, L.Dense(10, name="logits")(L.Dropout(0.1)(x)))


def accuracy(model, dataset):
    answers = [model.predict_on_batch(images).argmax(1) == labels for images, labels in dataset]
    return float(np.mean(np.concatenate(answers)))


@pytest.fixture(scope="module")
def trained(data):
    def loss_of_the_callers_own(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    keras.utils.set_random_seed(0)
    model = small_net()
    model.compile(keras.optimizers.Adam(3e-3), loss_of_the_callers_own, jit_compile=False)
    steps = data.steps_per_epoch
    model.fit(data.train.repeat(), steps_per_epoch=steps, epochs=8, verbose=0, shuffle=False)
    return model


@pytest.fixture
def children(tmp_path, monkeypatch):
    """Return the living child processes of this one; afterwards none may be left, nor a file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("finds child processes through Linux's /proc")

    def living():
        return [int(pid) for file in tasks.glob("*/children") for pid in file.read_text().split()]

    before = living()
    yield lambda: [pid for pid in living() if pid not in before]
    assert [pid for pid in living() if pid not in before] == []
    assert [path for path in tmp_path.iterdir() if path.name.startswith("kcnn")] == []


# -- the bridge ------------------------------------------------------------------------------------


def supported_layers():
    """Models in which every supported layer and activation shows in the answer."""
    image = keras.Input((15, 15, 3))
    x = L.ZeroPadding2D(((1, 0), (2, 1)))(image)
    x = L.Normalization(mean=[120.0, 110.0, 100.0], variance=[4000.0, 3900.0, 4100.0])(x)
    x = L.Conv2D(6, 3, strides=2)(x)
    other = L.Conv2D(6, 3, padding="same", dilation_rate=2, groups=2, activation="tanh")(x)
    branches = [
        L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="relu")(x),
        L.DepthwiseConv2D(3, dilation_rate=2, use_bias=False)(x),
        L.SeparableConv2D(5, 3, strides=2, padding="same", depth_multiplier=2)(x),
        L.BatchNormalization(epsilon=1e-5)(x),
        L.BatchNormalization(axis=1, scale=False)(x),
        L.BatchNormalization(center=False)(x),
        L.LayerNormalization(epsilon=1e-5)(x),
        L.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5)(x),
        L.LeakyReLU(negative_slope=0.2)(x),
        L.PReLU(shared_axes=[1, 2])(x),
        L.ELU(alpha=0.5)(x),
        L.Softmax(axis=1)(x),
        L.MaxPooling2D(3, strides=2, padding="same")(x),
        L.AveragePooling2D(2, padding="same")(x),
        L.GlobalAveragePooling2D(keepdims=True)(x),
        L.GlobalMaxPooling2D()(x),
        L.ZeroPadding2D(((0, 0), (1, 2)), data_format="channels_first")(x),
        L.Cropping2D(((1, 2), (0, 3)))(x),
        L.UpSampling2D(2, interpolation="bilinear")(x),
        L.Reshape((6, -1))(x),
        L.Permute((3, 1, 2))(x),
        L.SpatialDropout2D(0.3)(L.AlphaDropout(0.2)(L.Dropout(0.5)(x))),
        LocalResponseNormalization(3, bias=1.0, alpha=0.2, beta=0.6)(x),
        PartiallyConnectedConv2D([(0, 2), (5,), (4, 1, 3)], 2)(x),
        *[merge()([x, other]) for merge in (L.Add, L.Average, L.Maximum, L.Multiply, L.Subtract)],
        L.Concatenate(axis=2)([x, other]),
        *[
            L.Activation(name)(L.Rescaling(0.5, offset=0.1)(x))
            for name in sorted(EQUIVALENT_ACTIVATIONS)
        ],
    ]
    sequential = keras.Sequential([L.Conv2D(4, 3), L.Flatten(), L.Dense(10)])
    sequential.build((None, 9, 9, 1))
    return _joined(image, branches), sequential, series_layers(), voxel_layers()


def series_layers():
    series = keras.Input((20, 3))
    x = L.ZeroPadding1D((2, 1))(L.Rescaling(1 / 255)(series))
    x = L.SpatialDropout1D(0.3)(L.Conv1D(4, 3, padding="causal", dilation_rate=2)(x))
    branches = [
        L.MaxPooling1D(2)(x),
        L.AveragePooling1D(3, strides=2, padding="same")(x),
        L.GlobalMaxPooling1D()(x),
        L.GlobalAveragePooling1D(keepdims=True)(x),
        L.Cropping1D((1, 3))(x),
        LocalResponseNormalization(1, alpha=0.5)(x),
    ]
    return _joined(series, branches)


def voxel_layers():
    voxels = keras.Input((5, 6, 7, 2))
    x = L.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))(L.Rescaling(1 / 255)(voxels))
    x = L.SpatialDropout3D(0.3)(L.Conv3D(4, (1, 2, 3), padding="same")(x))
    branches = [
        L.MaxPooling3D(2)(x),
        L.AveragePooling3D(3, strides=2, padding="same")(x),
        L.GlobalMaxPooling3D()(x),
        L.GlobalAveragePooling3D(keepdims=True)(x),
        L.Cropping3D(((1, 0), (0, 1), (2, 1)))(x),
    ]
    return _joined(voxels, branches)


def _joined(inputs, branches):
    flat = [branch if len(branch.shape) == 2 else L.Flatten()(branch) for branch in branches]
    return keras.Model(inputs, L.Dense(10, name="top>1")(L.Concatenate()(flat)))


def randomize(model):
    """Give every weight a value of its own: ones and zeros would hide a mix-up."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.4, 0.8, variable.shape))
        elif len(variable.shape) == 1:
            variable.assign(random.normal(0, 0.1, variable.shape))


def test_every_registered_model_and_supported_layer_is_rebuilt_exactly(tmp_path):
    zoo = supported_layers()
    used = {layer.__class__.__name__ for model in zoo for layer in model.layers}
    assert set(EQUIVALENT_OPTIONS) <= used
    shapes = (20, 3), (6, 8, 8, 2)
    ranks = [kcnn.models.build("simple_cnn", input_shape=shape) for shape in shapes]
    models = [*zoo, small_net(), *ranks, *map(build_narrow, kcnn.models.names())]
    folders = []
    for index, model in enumerate(models):
        randomize(model)
        folder = tmp_path / str(index)
        folder.mkdir()
        write_job(folder, model)
        folders.append(folder)
    with start_child(*folders) as child:
        differences = [(model.name, child.receive()["difference"]) for model in models]
    assert [(name, value) for name, value in differences if not value < 1e-5] == []


def square(x):
    return x * x


class Custom(keras.layers.Layer):
    def call(self, x):
        return x


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(10)

    def call(self, x):
        return self.dense(x)


class OwnGraph(keras.Model):
    def __init__(self, unused):
        model = chain()
        super().__init__(model.inputs, model.outputs)


def chain(*layers, shape=(32, 32, 3)):
    return keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(10, name="logits")])


def shared():
    image = keras.Input((32, 32, 3))
    twice = L.Conv2D(3, 3, padding="same", name="twice")
    return keras.Model(image, L.Dense(10)(L.Flatten()(twice(twice(image)))))


def tensor_power():
    image = keras.Input((32, 32, 3))
    x = L.Flatten()(image)
    return keras.Model(image, L.Dense(10)(x**3))


def two_outputs():
    image = keras.Input((32, 32, 3))
    x = L.Flatten()(image)
    return keras.Model(image, [L.Dense(10)(x), L.Dense(10)(x)])


def four_classes():
    return keras.Sequential([keras.Input((32, 32, 3)), L.Flatten(), L.Dense(4)])


def no_kernel():
    padding = L.ZeroPadding2D(((0, 0), (0, 7)), data_format="channels_first")
    return keras.Sequential([keras.Input((32, 32, 3)), padding, L.GlobalMaxPooling2D()])


def quantized():
    model = chain()
    model.get_layer("logits").quantize("int8")
    return model


def own_class():
    model = OwnModel()
    model(np.zeros((1, 8)))
    return model


REFUSED = {
    "lambda": (
        lambda: chain(L.Lambda(square, name="double")),
        r"Layer 'double' \(Lambda\) .*use one of these layers instead: Add",
    ),
    "custom": (lambda: chain(Custom(name="mine")), r"Layer 'mine' \(Custom\) cannot be rebuilt"),
    "shared": (shared, "Layer 'twice' is called 2 times: make a layer for each"),
    "operation": (tensor_power, r"\(Power\) is an operation on tensors: use a layer"),
    "activation": (
        lambda: chain(L.Activation("hard_tanh", name="gate")),
        r"Layer 'gate' \(Activation\).*hard_tanh",
    ),
    "function": (
        lambda: chain(L.Conv2D(2, 3, activation=square, name="conv")),
        r"Layer 'conv' \(Conv2D\).*activation",
    ),
    "renorm": (
        lambda: chain(L.BatchNormalization(renorm=True, name="bn")),
        r"Layer 'bn' \(BatchNormalization\).*renorm=True",
    ),
    "constraint": (
        lambda: chain(L.Conv2D(2, 3, kernel_constraint="non_neg", name="conv")),
        r"Layer 'conv' \(Conv2D\).*kernel_constraint",
    ),
    "regularizer": (
        lambda: chain(L.Conv2D(2, 3, kernel_regularizer="orthogonal_regularizer", name="conv")),
        r"Layer 'conv' \(Conv2D\).*kernel_regularizer must be L1, L2 or L1L2",
    ),
    "quantized": (quantized, r"Layer 'logits' \(Dense\).*start from the float model"),
    "own class": (own_class, r"whose connections can be seen. Received: 'own_model'"),
    "own graph": (lambda: OwnGraph(object()), r"subclass of keras.Model: pass keras.Model\("),
    "name": (lambda: chain(L.ReLU(name="_relu")), r"Layer '_relu' \(ReLU\).*its name must be"),
    "not built": (lambda: keras.Sequential([L.Dense(10)]), "needs a built model"),
    "two outputs": (two_outputs, "needs a model with one output"),
    "not a model": (lambda: object(), "Expected a Keras 3 model"),
    "image shape": (lambda: chain(shape=(28, 28, 1)), r"\(28, 28, 1\), the data has \(32, 32, 3\)"),
    "classes": (four_classes, "4 outputs, the data has 10"),
    "no kernel": (no_kernel, "has no kernel of Conv1D, Conv2D"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_that_cannot_be_pruned_is_refused_by_name(case, data, monkeypatch):
    build, message = REFUSED[case]
    model = build()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    for function in (prune, check_prune):
        with pytest.raises(ValueError, match=message) as refusal:
            function(model, data)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"sparsity": 0.0},
        {"sparsity": 1.0},
        {"sparsity": "half"},
        {"epochs": 0},
        {"epochs": 1.5},
        {"schedule": "polynomal"},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
    ],
)
def test_a_setting_out_of_range_is_refused(settings, trained, data):
    ((name, value),) = settings.items()
    for function in (prune, check_prune):
        with pytest.raises(ValueError, match=f"{name}.*{value}"):
            function(trained, data, **settings)


def test_what_can_be_pruned_passes_the_check_without_a_child(data, monkeypatch):
    model = small_net()
    weights = model.get_weights()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    check_prune(model, data, sparsity=0.5, exclude=iter(["logits"]), teacher=model)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


# -- pruning ---------------------------------------------------------------------------------------


def kernels(model):
    return {
        layer.name: layer.kernel.numpy()
        for layer in model.layers
        if isinstance(layer, (L.Conv2D, L.Dense, PartiallyConnectedConv2D))
    }


@pytest.fixture(scope="module")
def pruned(trained, data):
    return prune(trained, data, sparsity=np.float32(0.6), epochs=np.int64(3), schedule="constant")


def test_the_result_has_the_zeros_that_were_asked_for(pruned, trained):
    values = kernels(pruned.model)
    assert values.keys() == kernels(trained).keys() == pruned.layer_sparsity.keys()
    for name, kernel in values.items():
        zeros = np.count_nonzero(kernel == 0)
        assert abs(zeros - 0.6 * kernel.size) <= 1
        assert pruned.layer_sparsity[name] == pytest.approx(zeros / kernel.size)
    everything = np.concatenate([kernel.ravel() for kernel in values.values()])
    assert pruned.sparsity == pytest.approx(np.mean(everything == 0)) == sparsity(pruned.model)
    assert pruned.sparsity == pytest.approx(0.6, abs=1e-3)


def test_pruning_keeps_the_largest_weights_and_trains_the_rest(pruned, trained):
    before, after = kernels(trained), kernels(pruned.model)
    for name in before:
        kept = np.abs(before[name])[after[name] != 0]
        lost = np.abs(before[name])[after[name] == 0]
        assert np.median(kept) > 2 * np.median(lost)
    for old, new in zip(trained.weights, pruned.model.weights, strict=True):
        assert np.all(np.isfinite(new)) and not np.array_equal(old, new), new.path


def test_pruning_costs_little_accuracy(pruned, trained, data):
    assert accuracy(trained, data.test) > 0.9
    assert accuracy(pruned.model, data.test) > accuracy(trained, data.test) - 0.05
    assert pruned.history["loss"][-1] < pruned.history["loss"][0]


def test_soft_labels_are_learned_by_their_cross_entropy():
    def load():
        return kcnn.data.load("digits", augment="cutmix", batch_size=32, limit=100)

    model = keras.Sequential([keras.Input((32, 32, 3)), L.Rescaling(1 / 255), L.Flatten()])
    model.add(L.Dense(10))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    expected = [float(loss(labels, model(images))) for images, labels in load().train]
    # So few zeros and such small steps that the loss is still that of the model as it was.
    result = prune(model, load(), sparsity=1e-6, epochs=1, learning_rate=1e-12)
    assert result.history["loss"] == pytest.approx([np.mean(expected)], rel=1e-5)
    soft = [
        labels.numpy().argmax(1) == model.predict_on_batch(i).argmax(1)
        for i, labels in load().train
    ]
    assert result.history["accuracy"] == pytest.approx([np.mean(soft)])


def test_the_result_is_a_new_model_of_the_same_make(pruned, trained, tmp_path):
    model = pruned.model
    assert model is not trained and not model.compiled
    assert [layer.name for layer in model.layers] == [layer.name for layer in trained.layers]
    for old, new in zip(trained.layers, model.layers, strict=True):
        assert type(new) is old.__class__  # kcnn's batch norm stands for the stock one
    assert model.layers[3].momentum == 0.8
    model.save(tmp_path / "pruned.keras")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    loaded = keras.models.load_model(tmp_path / "pruned.keras", compile=False)
    np.testing.assert_array_equal(loaded.predict_on_batch(images), model.predict_on_batch(images))


def test_pruning_on_keeps_the_zeros_and_touches_nothing_else(pruned, data, children, caplog):
    """The second run: gradual, on an uncompiled model and a float pipeline of the user's own."""
    model = pruned.model
    weights, environment, keras_of_tf = model.get_weights(), dict(os.environ), tf.keras
    floats = dataclasses.replace(
        data, train=data.train.map(lambda images, labels: (tf.cast(images, tf.float32), labels))
    )
    with caplog.at_level(logging.INFO, logger="kcnn"):
        result = prune(model, floats, sparsity=0.9, epochs=4)
    assert result.sparsity == pytest.approx(0.9, abs=1e-3)
    # Zhu and Gupta's equation 1 from step 1 to step 40 of 80, at the end of each epoch of 20
    rest = [1 - (min(step, 40) - 1) / 39 for step in (20, 40, 60, 80)]
    expected = [0.9 + (0.6 - 0.9) * part**3 for part in rest]
    assert result.history["sparsity"] == pytest.approx(expected, abs=1e-3)
    for name, before in kernels(model).items():
        assert np.all(kernels(result.model)[name][before == 0] == 0)
    assert [message.split(",")[1:] for message in caplog.messages] == [
        [f" accuracy {accuracy:.4f}", f" sparsity {zeros:.4f}"]
        for accuracy, zeros in zip(
            result.history["accuracy"], result.history["sparsity"], strict=True
        )
    ]
    assert [message.split(":")[0] for message in caplog.messages] == [
        f"pruning epoch {epoch}/4" for epoch in (1, 2, 3, 4)
    ]
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert dict(os.environ) == environment and "TF_USE_LEGACY_KERAS" not in environment
    assert tf.keras is keras_of_tf and tf.keras.__version__.startswith("3.")
    assert not {"tf_keras", "tensorflow_model_optimization"} & set(sys.modules)


def test_asking_for_fewer_zeros_than_there_are_is_refused(pruned, data):
    with pytest.raises(ValueError, match="already 60.0% zeros"):
        prune(pruned.model, data, sparsity=0.5)


def test_sparsity_is_measured_on_kernels_only():
    model = chain(L.SeparableConv2D(4, 3, name="conv"), L.BatchNormalization())
    assert sparsity(model) == 0
    conv, logits = model.get_layer("conv"), model.get_layer("logits")
    conv.pointwise_kernel.assign(np.zeros(conv.pointwise_kernel.shape))
    total = 3 * 4 + np.prod(logits.kernel.shape)
    assert sparsity(model) == pytest.approx(12 / total)


# -- when things go wrong --------------------------------------------------------------------------


def in_the_background(action):
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def first(children):
    def command(pid):
        return Path(f"/proc/{pid}/cmdline").read_bytes()

    deadline = time.monotonic() + 300
    while not children() and time.monotonic() < deadline:
        time.sleep(0.01)
    child = children()[0]
    while command(child) == command("self"):  # it is still this program's copy
        time.sleep(0.01)
    time.sleep(0.3)  # for the call that started it to return
    return child


def test_a_killed_child_is_an_error_of_one_line(trained, data, children):
    thread = in_the_background(lambda: os.kill(first(children), signal.SIGKILL))
    with pytest.raises(RuntimeError, match="^The TF-MOT process died: killed by SIGKILL") as death:
        prune(trained, data)
    thread.join()
    assert "\n" not in str(death.value)


def test_interrupting_ends_the_child(trained, data, children):
    def interrupt():
        first(children)
        os.kill(os.getpid(), signal.SIGINT)

    # a shell that runs the tests in the background has it ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = in_the_background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        prune(trained, data)
    thread.join()
    signal.signal(signal.SIGINT, before)


def test_the_childs_own_reason_is_passed_on(trained, data, children):
    train = data.train.map(lambda images, labels: (images, labels + 90))
    with pytest.raises(RuntimeError, match="InvalidArgumentError: .*label value of 9") as death:
        prune(trained, dataclasses.replace(data, train=train), epochs=1)
    assert "\n" not in str(death.value)


def test_unreadable_data_is_an_error_of_one_line(trained, data, children):
    def broken(images, labels):
        tf.debugging.assert_less(labels, 0, message="no such label")
        return images, labels

    for train, message in (
        (data.train.map(broken), "Reading data.train failed: .*no such label"),
        (data.train.take(0), "data.train ended after 0 of"),
    ):
        with pytest.raises(RuntimeError, match=message) as failure:
            prune(trained, dataclasses.replace(data, train=train))
        assert "\n" not in str(failure.value)
