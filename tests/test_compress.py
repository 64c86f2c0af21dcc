"""Pruning through the bridge: exact, complete, and without a trace in the caller's process."""

import dataclasses
import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn.data
import kcnn.models
from kcnn.compress import prune, sparsity
from kcnn.compress.child import start
from kcnn.compress.graph import ACTIVATIONS, CARRIED, write_job
from kcnn.layers import BatchNormalization

L = keras.layers


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", batch_size=64, augment="none")


def small_net(last="logits"):
    """A residual network of a shape that no registered model has, with a name TensorFlow lacks."""
    image = keras.Input((32, 32, 3), name="image")
    x = L.Rescaling(1 / 255)(image)
    x = L.Conv2D(12, 3, strides=2, kernel_regularizer="l2", name="first convolution")(x)
    x = BatchNormalization(momentum=0.8)(x)
    x = L.ReLU()(x)
    x = L.MaxPooling2D()(x)
    y = L.Conv2D(12, 3, padding="same", use_bias=False)(x)
    y = L.ReLU()(BatchNormalization(momentum=0.8)(y))
    x = L.Flatten()(L.Add()([x, y]))
    return keras.Model(image, L.Dense(10, name=last)(L.Dropout(0.1)(x)))


def accuracy(model, dataset):
    answers = [model.predict_on_batch(images).argmax(1) == labels for images, labels in dataset]
    return float(np.mean(np.concatenate(answers)))


@pytest.fixture(scope="module")
def trained(data):
    keras.utils.set_random_seed(0)
    model = small_net()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
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
    assert list(tmp_path.iterdir()) == []


# -- the bridge ------------------------------------------------------------------------------------


def carried_layers():
    """Two models in which every carried layer and activation shows in the answer."""
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
        L.SpatialDropout2D(0.3)(L.Dropout(0.5)(x)),
        *[merge()([x, other]) for merge in (L.Add, L.Average, L.Maximum, L.Multiply, L.Subtract)],
        L.Concatenate(axis=2)([x, other]),
        *[L.Activation(name)(L.Rescaling(0.5, offset=0.1)(x)) for name in sorted(ACTIVATIONS)],
    ]
    flat = [branch if len(branch.shape) == 2 else L.Flatten()(branch) for branch in branches]
    functional = keras.Model(image, L.Dense(10, name="äußere Schicht")(L.Concatenate()(flat)))
    sequential = keras.Sequential([L.Conv2D(4, 3), L.Flatten(), L.Dense(10)])
    sequential.build((None, 9, 9, 1))
    return functional, sequential


def randomise(model):
    """Give every weight a value of its own: ones and zeros would hide a mix-up."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.4, 0.8, variable.shape))
        elif len(variable.shape) == 1:
            variable.assign(random.normal(0, 0.1, variable.shape))


def test_every_registered_model_and_carried_layer_is_rebuilt_exactly(tmp_path):
    zoo = carried_layers()
    used = {layer.__class__.__name__ for model in zoo for layer in model.layers}
    assert set(CARRIED) <= used
    models = [*zoo, small_net(), *map(kcnn.models.build, kcnn.models.names())]
    folders = []
    for index, model in enumerate(models):
        randomise(model)
        folder = tmp_path / str(index)
        folder.mkdir()
        write_job(folder, model)
        folders.append(folder)
    with start(*folders) as child:
        differences = {model.name: child.receive()["difference"] for model in models}
    assert len(differences) == len(models)
    assert {name: value for name, value in differences.items() if not value < 1e-5} == {}


def lambda_layer():
    return L.Lambda(lambda x: x * 2, name="double")


class Custom(keras.layers.Layer):
    def call(self, x):
        return x


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(10)

    def call(self, x):
        return self.dense(x)


def chain(*layers, shape=(32, 32, 3)):
    return keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(10, name="logits")])


def shared():
    image = keras.Input((32, 32, 3))
    twice = L.Conv2D(3, 3, padding="same", name="twice")
    return keras.Model(image, L.Dense(10)(L.Flatten()(twice(twice(image)))))


def tensor_sum():
    image = keras.Input((32, 32, 3))
    x = L.Flatten()(image)
    return keras.Model(image, L.Dense(10)(x + x))


def two_outputs():
    image = keras.Input((32, 32, 3))
    x = L.Flatten()(image)
    return keras.Model(image, [L.Dense(10)(x), L.Dense(10)(x)])


def adapted():
    layer = L.Normalization(name="statistics")
    layer.adapt(np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32))
    return chain(layer)


def quantized():
    model = chain()
    model.quantize("int8")
    return model


REFUSED = {
    "lambda": (lambda: chain(lambda_layer()), r"Layer 'double' \(Lambda\) .*express it by"),
    "custom": (lambda: chain(Custom(name="mine")), r"Layer 'mine' \(Custom\) cannot be carried"),
    "augmentation": (lambda: chain(L.RandomFlip(name="flip")), r"Layer 'flip' \(RandomFlip\)"),
    "nested": (
        lambda: chain(keras.Sequential([L.Conv2D(4, 3)], name="part")),
        r"Layer 'part' \(Sequential\).*use its layers directly",
    ),
    "shared": (shared, r"Layer 'twice' \(Conv2D\).*called 2 times; make a layer for each"),
    "operation": (tensor_sum, r"\(Add\).*keras.layers.Add\(\)"),
    "activation": (
        lambda: chain(L.Activation("hard_sigmoid", name="gate")),
        r"Layer 'gate' \(Activation\).*hard_sigmoid",
    ),
    "function": (
        lambda: chain(L.Conv2D(2, 3, activation=tf.nn.relu6, name="conv")),
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
    "adapted": (adapted, r"Layer 'statistics' \(Normalization\).*mean=\.\.\., variance=\.\.\."),
    "quantized": (quantized, r"Layer 'logits' \(Dense\).*prune the float model first"),
    "own class": (lambda: OwnModel(), "class of its own"),
    "not built": (lambda: keras.Sequential([L.Dense(10)]), "not built"),
    "two outputs": (two_outputs, "one input and one output"),
    "not a model": (lambda: object(), "Expected a Keras 3 model"),
    "image shape": (lambda: chain(shape=(28, 28, 1)), r"\(28, 28, 1\), the data has \(32, 32, 3\)"),
    "classes": (lambda: chain(L.Flatten(), L.Dense(4)), "10 classes"),
    "softmax": (lambda: keras.Sequential([*chain().layers, L.Softmax(name="top")]), "'top'"),
    "no kernel": (
        lambda: keras.Sequential([keras.Input((32, 32, 3)), L.Reshape((-1, 10))]),
        "no Conv2D",
    ),
}
