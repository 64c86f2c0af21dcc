"""Weight clustering through the bridge: few values in each kernel, and zeros stay zeros."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn.data
from kcnn.compress import check_cluster, cluster
from kcnn.layers import PartiallyConnectedConv2D

L = keras.layers


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", batch_size=64, augment="none")


@pytest.fixture(scope="module")
def trained(data):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3), name="image"),
            L.AveragePooling2D(2),
            L.Rescaling(1 / 255),
            L.Conv2D(3, 1, name="few"),  # 9 weights
            L.Conv2D(12, 3, strides=2, name="conv1"),
            L.BatchNormalization(momentum=0.8),
            L.ReLU(),
            PartiallyConnectedConv2D([(i, (i + 5) % 12) for i in range(12)], 2, name="partial"),
            L.ReLU(),
            L.SeparableConv2D(16, 3, name="conv2"),
            L.Flatten(),
            L.Dense(32, activation="relu", name="hidden"),
            L.Dense(10, name="logits"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(data.train, epochs=8, verbose=0)
    for name in ("partial", "few", "hidden"):  # half pruned
        kernel = model.get_layer(name).kernel
        kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    return model


def kernels(model):
    return {
        layer.name: np.asarray(getattr(layer, "pointwise_kernel", getattr(layer, "kernel", None)))
        for layer in model.layers
        if hasattr(layer, "kernel") or hasattr(layer, "pointwise_kernel")
    }


def accuracy(model, dataset):
    right = [model.predict_on_batch(images).argmax(1) == labels for images, labels in dataset]
    return float(np.mean(np.concatenate(right)))


def test_kernels_share_few_values_and_zeros_stay_zeros(trained, data):
    weights, environment, keras_of_tf = trained.get_weights(), dict(os.environ), tf.keras
    result = cluster(trained, data, clusters=np.int64(16), exclude=["logits"], epochs=2)
    before, after = kernels(trained), kernels(result.model)
    assert result.clusters == {name: len(np.unique(kernel)) for name, kernel in after.items()}
    assert result.clusters.keys() == {"few", "conv1", "partial", "conv2", "hidden", "logits"}
    assert result.clusters.pop("logits") > 200
    assert max(result.clusters.values()) == 16
    for name in ("partial", "few", "hidden"):
        assert np.all(after[name][before[name] == 0] == 0)
        assert np.count_nonzero(after[name]) > 0.3 * after[name].size
    for old, new in zip(weights, result.model.weights, strict=True):  # everything trains
        assert np.all(np.isfinite(new)) and not np.array_equal(old, new), new.path
    assert accuracy(result.model, data.test) > accuracy(trained, data.test) - 0.05 > 0.8
    assert list(result.history) == ["loss", "accuracy"]
    assert result.epochs == len(result.history["loss"]) == 2

    for old, new in zip(weights, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert dict(os.environ) == environment and "TF_USE_LEGACY_KERAS" not in environment
    assert tf.keras is keras_of_tf and tf.keras.__version__.startswith("3.")
    assert not {"tf_keras", "tensorflow_model_optimization"} & set(sys.modules)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 2}, "at least 3. Received: clusters=2"),  # there are zeros
        ({"clusters": 16.0}, "an integer .* clusters=16.0"),
        ({"exclude": ["hiden"]}, "Unknown layer 'hiden'. Did you mean 'hidden'?"),
        ({"epochs": 0}, "epochs must be"),
        ({"learning_rate": -1}, "learning_rate must be"),
    ],
)
def test_a_setting_out_of_range_is_refused(options, message, trained, data, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    check_cluster(trained, data, clusters=3, exclude=iter(["hidden"]))
    for function in (cluster, check_cluster):
        with pytest.raises(ValueError, match=message):
            function(trained, data, **options)
