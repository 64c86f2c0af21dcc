"""The compiled GELU against float64 and Keras's own, alone and in a model that trains."""

import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import fast_training
from kcnn.layers.gelu import can_compile, gelu

_ROUNDING = {"float64": 1e-15, "float32": 5e-7, "float16": 1e-3, "bfloat16": 8e-3}
_X = np.concatenate([np.linspace(-12, 12, 961), [0.0]])


@pytest.mark.parametrize(("dtype", "rounding"), _ROUNDING.items())
def test_value_and_gradient_are_the_formula_in_float64(dtype, rounding):
    x = tf.constant(_X, dtype)

    @tf.function(input_signature=[tf.TensorSpec([None], dtype)])  # as in a batch of any size
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = gelu(x)
        return value, tape.gradient(value, x, 2 * tf.ones_like(x))

    exact = np.asarray(tf.cast(x, tf.float64))
    phi = np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in exact])
    slope = phi + exact * np.exp(-(exact**2) / 2) / math.sqrt(2 * math.pi)
    for received, expected in zip(both(x), (exact * phi, 2 * slope), strict=True):
        assert received.dtype == dtype
        error = np.abs(np.asarray(tf.cast(received, tf.float64)) - expected)
        assert np.all(error <= rounding * np.maximum(1, np.abs(expected)))


def test_it_has_a_second_derivative():
    x = tf.constant([0.3, -1.0, 2.0], "float64")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = gelu(x)
        slope = inner.gradient(value, x)
    expected = (2 - x**2) * tf.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(outer.gradient(slope, x), expected, rtol=1e-12)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_model_takes_the_same_steps_inside_as_outside(policy):
    images, labels = np.random.default_rng(0).normal(size=(16, 6, 6, 3)), np.arange(16) % 10
    weights = []
    for within in (True, False):
        model = _model(policy)
        model.compile(keras.optimizers.SGD(0.1), _LOSS)
        if within:
            with fast_training(model):
                model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
                assert _is_compiled(model)
        else:
            model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
            assert not _is_compiled(model)
        weights.append(model.get_weights())
    for mine, reference in zip(*weights, strict=True):
        np.testing.assert_allclose(mine, reference, atol=2e-5 if policy == "float32" else 1e-2)


def test_it_is_saved_and_cloned_as_the_gelu_of_keras(tmp_path):
    model, stock = _model(), keras.activations.gelu
    other = model.get_layer("approximate").activation
    with fast_training(model), fast_training(model):
        assert [model.get_layer(name).activation for name in _ACTIVE] == [gelu] * 3
        assert model.get_layer("approximate").activation is other
        model.save(tmp_path / "inside.keras")  # as a checkpoint does
        clone = keras.models.clone_model(model)
    for each in (model, clone, keras.models.load_model(tmp_path / "inside.keras")):
        assert [each.get_layer(name).activation for name in _ACTIVE] == [stock] * 3


def test_layers_that_only_show_an_activation_of_another_one_are_left_alone():
    layer = keras.layers.LSTM(2, activation="gelu")  # its cell's, and cannot be assigned
    model = keras.Sequential([keras.Input((3, 4)), layer])
    with fast_training(model):
        assert layer.activation is keras.activations.gelu


def test_maps_of_any_size_are_not_compiled_for_each():
    model = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, activation="gelu")]
    )
    images = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    expected = model(images)
    with fast_training(model):
        assert not _calls(model, tf.TensorSpec([None, None, None, 3]))
        assert _calls(model, tf.TensorSpec([None, 6, 6, 3]))
        np.testing.assert_allclose(model(images), expected, atol=1e-6)


def test_it_takes_what_the_gelu_of_keras_takes():
    variable, symbol = keras.Variable([-1.0, 2.0]), keras.Input((2,))
    np.testing.assert_array_equal(gelu(variable), keras.activations.gelu(variable))
    np.testing.assert_allclose(gelu([1.0]), [0.8413447], atol=1e-6)
    assert keras.Model(symbol, gelu(symbol)).output_shape == (None, 2)


def test_a_flag_that_xla_does_not_know_ends_no_training():
    program = (
        "import keras, numpy as np; from kcnn.layers import fast_training;"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, 'gelu')]);"
        "model.compile('sgd', 'mse'); block = fast_training(model); block.__enter__();"
        "model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0); print('trained')"
    )
    environment = os.environ | {"XLA_FLAGS": "--xla_of_a_newer_jax=1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stdout.endswith("trained\n"), done.stderr


def test_where_xla_must_not_start_keras_computes_it(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_of_a_newer_jax=1")
    can_compile.cache_clear()
    model = _model()
    with fast_training(model):
        assert not _is_compiled(model)
    monkeypatch.delenv("XLA_FLAGS")
    can_compile.cache_clear()
    with fast_training(model):
        assert _is_compiled(model)


_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
_ACTIVE = ("conv", "alone", "hidden")


def _model(policy="float32"):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(8, 3, activation="gelu", name="conv", dtype=policy),
            layers.Conv2D(8, 3, activation=_approximate_gelu, name="approximate", dtype=policy),
            layers.Activation("gelu", name="alone", dtype=policy),
            layers.GlobalAveragePooling2D(dtype=policy),
            layers.Dense(16, activation="gelu", name="hidden", dtype=policy),
            layers.Dense(10),
        ]
    )


@keras.saving.register_keras_serializable("tests")
def _approximate_gelu(x):
    return keras.activations.gelu(x, approximate=True)


def _is_compiled(model):
    return len(_calls(model, tf.TensorSpec([2, 6, 6, 3]))) == len(_ACTIVE)


def _calls(model, images):
    graph = tf.function(model.__call__).get_concrete_function(images).graph
    return [each.name for each in graph.get_operations() if "PartitionedCall" in each.type]
