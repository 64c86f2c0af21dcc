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
from kcnn.compress.shared_values import Shared, share_values, with_shared_values
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


@pytest.mark.parametrize("engine", ["keras", "tfmot"])
def test_kernels_share_few_values_and_zeros_stay_zeros(engine, trained, data):
    weights, environment, keras_of_tf = trained.get_weights(), dict(os.environ), tf.keras
    options = {"clusters": np.int64(16), "exclude": ["logits"], "epochs": 2, "engine": engine}
    result = cluster(trained, data, **options)
    assert result.engine == engine
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
    assert {"loss", "accuracy"} <= result.history.keys()
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
        ({"engine": "kears"}, "Unknown engine 'kears'. Did you mean 'keras'?"),
    ],
)
def test_a_setting_out_of_range_is_refused(options, message, trained, data, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    check_cluster(trained, data, clusters=3, exclude=iter(["hidden"]))
    for function in (cluster, check_cluster):
        with pytest.raises(ValueError, match=message):
            function(trained, data, **options)


def test_excluded_layers_keep_their_zeros_in_this_process_too(trained, data):
    options = {"clusters": 8, "exclude": ["hidden"], "epochs": 1, "engine": "keras"}
    model = cluster(trained, data, teacher=trained, **options).model
    before, after = kernels(trained)["hidden"], kernels(model)["hidden"]
    np.testing.assert_array_equal(after == 0, before == 0)
    assert np.unique(after).size > 100
    with pytest.raises(ValueError, match="callbacks needs engine='keras'"):
        cluster(trained, data, callbacks=[keras.callbacks.TerminateOnNaN()])


def test_k_means_is_that_of_numpy():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype("float32")
    kernel[np.abs(kernel) < 0.3] = 0
    shared = share_values(kernel, 6)
    np.testing.assert_array_equal(shared == 0, kernel == 0)
    weights, values = kernel[kernel != 0], np.unique(shared[shared != 0])
    assert values.size == 5
    # Every weight has its nearest value, and every value is the mean of its weights.
    nearest = values[np.abs(weights[:, None] - values).argmin(1)]
    np.testing.assert_array_equal(shared[kernel != 0], nearest)
    means = [weights[nearest == value].mean() for value in values]
    np.testing.assert_allclose(values, means, atol=2e-3)


def test_a_step_moves_each_value_by_the_mean_of_its_gradients():
    rng = np.random.default_rng(0)
    kernel = rng.choice([-0.5, 0.0, 0.25, 1.0], size=(3, 3, 2, 5)).astype("float32")
    gradient = rng.normal(size=kernel.shape).astype("float32")
    variable = keras.Variable(kernel)
    sgd = keras.optimizers.SGD
    plan = Shared.of(kernel)
    with_shared_values(sgd, sgd, [(variable, plan)])(0.1).apply(
        [keras.ops.convert_to_tensor(gradient)], [variable]
    )
    expected = kernel.astype("float64")
    for value in (-0.5, 0.25, 1.0):
        mean = gradient[kernel == value].astype("float64").mean()
        expected[kernel == value] = value - 0.1 * mean
    np.testing.assert_allclose(variable, expected, atol=1e-6)
    assert np.unique(variable).size == 4


def test_a_clustering_that_was_stopped_goes_on(trained, data, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    options = {"clusters": 8, "epochs": 2, "engine": "keras"}
    whole = cluster(trained, data, **options)
    with pytest.raises(KeyboardInterrupt):
        cluster(trained, data, resume=tmp_path, callbacks=[Stop()], **options)
    again = cluster(trained, data, resume=tmp_path, **options)
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
