"""Local response normalization equals TensorFlow's own, and works where that does not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import LocalResponseNormalization

# Of these, only the paper's hardly changes activations of this size.
SETTINGS = [
    {},
    {"depth_radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.5},
    {"depth_radius": 0, "bias": 0.5, "alpha": 2.0, "beta": 1.0},
    {"depth_radius": 9, "bias": 3.0, "alpha": 0.1, "beta": 0.3},
    {"alpha": 0.0, "beta": -0.5},
]


def activations(shape=(2, 4, 3, 7), scale=3.0):
    return np.random.default_rng(0).normal(0, scale, shape).astype("float32")


def tensorflows(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    return tf.nn.local_response_normalization(x, depth_radius, bias, alpha, beta)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scale", [0.0, 3.0, 300.0])
def test_values_and_gradients_equal_tensorflows(settings, scale):
    x, weight = tf.constant(activations(scale=scale)), tf.constant(activations(scale=1.0))

    def value_and_gradient(normalize):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = normalize(x)
            loss = tf.reduce_sum(weight * y)
        return y, tape.gradient(loss, x)

    ours = value_and_gradient(LocalResponseNormalization(**settings))
    expected = value_and_gradient(lambda x: tensorflows(x, **settings))
    for mine, its in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-5, atol=1e-6 * np.abs(its).max() + 1e-7)


def test_the_equation_of_the_paper():
    x = activations((3, 6)).astype("float64")
    expected = np.empty_like(x)
    for i in range(6):
        energy = (x[:, max(0, i - 2) : i + 3] ** 2).sum(axis=1)
        expected[:, i] = x[:, i] / (2 + 1e-4 * energy) ** 0.75
    np.testing.assert_allclose(LocalResponseNormalization(dtype="float64")(x), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 7), (2, 5, 7), (1, 2, 2, 2, 7)])
def test_any_rank(shape):
    x = activations(shape)
    expected = tf.reshape(tensorflows(x.reshape(1, 1, -1, 7), alpha=0.1), shape)
    np.testing.assert_allclose(LocalResponseNormalization(alpha=0.1)(x), expected, rtol=1e-5)


def test_a_saved_model_has_the_layer_again(tmp_path):
    settings = SETTINGS[1]
    model = keras.Sequential(
        [keras.Input((4, 3, 7)), LocalResponseNormalization(**settings, name="lrn")]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("lrn")) is LocalResponseNormalization
    assert loaded.get_layer("lrn").get_config().items() >= settings.items()
    np.testing.assert_array_equal(loaded(activations()), model(activations()))


@pytest.mark.parametrize(
    "argument, value",
    [
        *[("depth_radius", bad) for bad in (-1, 2.5, "2")],
        *[("bias", bad) for bad in (0, -1.0, None, float("nan"))],
        *[("alpha", bad) for bad in (-1e-4, "1")],
        ("beta", None),
    ],
)
def test_bad_arguments(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be .* Received: {argument}="):
        LocalResponseNormalization(**{argument: value})
