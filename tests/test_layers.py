"""The fused batch norm is Keras's own: in what it computes, and in what it is saved as."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import BatchNormalization

Stock = keras.layers.BatchNormalization


def images(shape=(2, 3, 3, 5), seed=0):
    # Few pixels: N / (N - 1), by which the biased and unbiased variance differ, is 18/17 here.
    generator = np.random.default_rng(seed)
    return generator.normal(2.0, 3.0, shape).astype("float32")


def random_weights(layer, seed=1):
    generator = np.random.default_rng(seed)
    layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])


def pair(shape=(2, 3, 3, 5), **arguments):
    """Return our layer and Keras's with the same arguments and the same random weights."""
    layers = BatchNormalization(**arguments), Stock(**arguments)
    for layer in layers:
        layer.build(shape)
        random_weights(layer)
    return layers


def kernels(layer, x, **call):
    graph = tf.function(lambda x: layer(x, **call)).get_concrete_function(tf.constant(x)).graph
    return {operation.type for operation in graph.get_operations()}


def is_fused(layer, x, **call):
    return "FusedBatchNormV3" in kernels(layer, x, **call)


@pytest.mark.parametrize("shape", [(2, 3, 3, 5), (1, 1, 2, 4), (4, 8, 8, 16)])
@pytest.mark.parametrize("options", [{"axis": -1}, {"axis": 3}, {"scale": False}])
def test_one_training_call_equals_stock(shape, options):
    x = images(shape)
    ours, stock = pair(shape, momentum=0.9, **options)
    assert is_fused(ours, x, training=True)
    np.testing.assert_allclose(ours(x, training=True), stock(x, training=True), atol=1e-5)
    for mine, its in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5)


def test_gradients_equal_stock():
    x = tf.constant(images())
    weight = tf.constant(images(seed=7))

    def gradients(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weight * layer(x, training=True) ** 2)
        return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    ours, stock = pair()
    for mine, its in zip(gradients(ours), gradients(stock), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-3)


def small_model(layer_class):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            layer_class(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.Conv2D(8, 3, use_bias=False),
            layer_class(momentum=0.9),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def test_training_equals_stock():
    generator = np.random.default_rng(0)
    x = generator.normal(1.0, 2.0, (20, 6, 6, 3)).astype("float32")
    y = generator.integers(0, 3, 20)
    weights = []
    for layer_class in (BatchNormalization, Stock):
        model = small_model(layer_class)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.02, momentum=0.9), loss)
        # Batches of 8, 8 and 4: the number of values per channel is not known to the graph.
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert len(weights[0]) == len(weights[1]) == 12
    for mine, its in zip(*weights, strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-4, atol=2e-5)


def test_xla_equals_stock():
    x = images()
    ours, stock = pair(momentum=0.9)
    # Keras compiles training steps with XLA where there is a GPU.
    compiled = tf.function(lambda x: ours(x, training=True), jit_compile=True)
    np.testing.assert_allclose(compiled(x), stock(x, training=True), atol=1e-5)
    for mine, its in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_equals_stock_to_its_rounding(dtype):
    x = tf.cast(images((4, 8, 8, 5)), dtype.removeprefix("mixed_"))
    ours, stock = pair(momentum=0.9, dtype=dtype)
    assert is_fused(ours, x, training=True)
    mine, its = ours(x, training=True), stock(x, training=True)
    assert mine.dtype == its.dtype == x.dtype
    np.testing.assert_allclose(tf.cast(mine, "float32"), tf.cast(its, "float32"), atol=0.04)
    for mine, its in zip(ours.get_weights(), stock.get_weights(), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, its, rtol=1e-4)
    weight = tf.cast(images((4, 8, 8, 5), seed=1), x.dtype)
    for mine, its in zip(gradients(ours, x, weight), gradients(stock, x, weight), strict=True):
        assert mine.dtype == its.dtype
        mine, its = (tf.cast(each, "float32").numpy() for each in (mine, its))
        np.testing.assert_allclose(mine, its, atol=0.02 * np.abs(its).max())


def gradients(layer, x, weight):
    """Return those of a weighted sum of the outputs, by the images, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.cast(layer(x, training=True) * weight, "float32"))
    return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])


FALLBACKS = {
    "inference": ({}, {"training": False}),
    "frozen": ({"trainable": False}, {"training": True}),
    "masked": ({}, {"training": True, "mask": np.ones((2, 3, 3), bool)}),
    "no offset": ({"center": False}, {"training": True}),
    "renorm": ({"renorm": True}, {"training": True}),
    "synchronized": ({"synchronized": True}, {"training": True}),
    "other axis": ({"axis": 1}, {"training": True}),
    "tiny epsilon": ({"epsilon": 1e-12}, {"training": True}),
    "float64": ({"dtype": "float64"}, {"training": True}),
}


@pytest.mark.parametrize("case", FALLBACKS)
def test_every_other_case_is_stock_code(case):
    arguments, call = FALLBACKS[case]
    x = images().astype(arguments.get("dtype", "float32"))
    ours, stock = pair(**arguments)
    assert not is_fused(ours, x, **call)
    random_weights(ours)  # tracing above may have moved the averages
    np.testing.assert_array_equal(ours(x, **call), stock(x, **call))
    for mine, its in zip(ours.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_dense_features_are_stock_code():
    ours, stock = pair((4, 5))
    x = images((4, 5))
    assert not is_fused(ours, x, training=True)
    np.testing.assert_array_equal(ours(x, training=True), stock(x, training=True))


def test_serializes_as_stock():
    arguments = {"momentum": 0.7, "epsilon": 0.01, "gamma_initializer": "zeros", "name": "bn"}
    ours, stock = pair(**arguments)
    assert keras.saving.serialize_keras_object(ours) == keras.saving.serialize_keras_object(stock)
    assert BatchNormalization().name.startswith("batch_normalization")
    clone = keras.models.clone_model(small_model(BatchNormalization))
    assert [type(layer) for layer in clone.layers].count(Stock) == 2


LOAD = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
assert [type(layer) for layer in model.layers].count(keras.layers.BatchNormalization) == 2
np.save(sys.argv[3], model(np.load(sys.argv[2])))
assert not [name for name in sys.modules if name.startswith("kcnn")]
"""


def test_saved_model_loads_in_plain_keras(tmp_path):
    model = small_model(BatchNormalization)
    x = images((4, 6, 6, 3))
    model(x, training=True)  # moving averages other than the initial ones
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    files = [tmp_path / name for name in ("model.keras", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", LOAD, *files], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(files[2]), model(x), rtol=1e-5, atol=1e-6)
