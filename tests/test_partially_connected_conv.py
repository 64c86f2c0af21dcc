"""The partially connected convolution equals small convolutions of the connected maps alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import PartiallyConnectedConv2D
from kcnn.models.families.lenet import C3_CONNECTIONS

TABLES = {
    "lenet": C3_CONNECTIONS,
    "all": [range(6)] * 3,
    "one each, mixed": [(4,), (0,), (5,)],
    "out of order": [(5, 1), (2, 0, 3)],
}


def maps(shape=(2, 9, 8, 6)):
    return np.random.default_rng(0).normal(0, 1, shape)


def layer_with_weights(table, **options):
    layer = PartiallyConnectedConv2D(table, 5, dtype="float64", **options)
    layer.build((None, 9, 8, 6))
    generator = np.random.default_rng(1)
    layer.set_weights([generator.normal(0, 1, weight.shape) for weight in layer.get_weights()])
    return layer


def one_map_at_a_time(x, table, kernel, bias):
    """Return the output of a convolution for each map, over the maps it is connected to."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
    outputs, first = [], 0
    for seen, offset in zip(table, bias, strict=True):
        own = kernel[:, :, first : first + len(seen)]
        outputs.append(np.einsum("bhwcij,ijc->bhw", windows[:, :, :, list(seen)], own) + offset)
        first += len(seen)
    return np.stack(outputs, axis=-1)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_equals_a_convolution_for_each_map(table):
    layer = layer_with_weights(table)
    expected = one_map_at_a_time(maps(), table, *layer.get_weights())
    assert layer.kernel.shape == (5, 5, sum(map(len, table)))
    assert layer.compute_output_shape((None, 9, 8, 6)) == (None, *expected.shape[1:])
    np.testing.assert_allclose(layer(maps()), expected, rtol=1e-10, atol=1e-10)


def test_the_gradient_of_a_link_is_that_of_its_own_convolution():
    layer, x, weight = layer_with_weights(C3_CONNECTIONS), maps(), maps((2, 5, 4, 16))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weight * layer(x))
    gradient = tape.gradient(loss, [layer.kernel.value, layer.bias.value])
    # The loss is linear in the kernel: a link's gradient is the loss of a kernel of one 1.
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
    dense = np.einsum("bhwcij,bhwo->ijco", windows, weight)
    links = [dense[:, :, seen, map_] for map_, row in enumerate(C3_CONNECTIONS) for seen in row]
    np.testing.assert_allclose(gradient[0], np.stack(links, axis=-1), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient[1], weight.sum(axis=(0, 1, 2)))


def test_weights_start_as_the_initializer_says():
    layer = PartiallyConnectedConv2D([(0, 1)] * 40, 5, kernel_initializer="lecun_normal")
    layer.build((None, 9, 9, 2))
    kernel = layer.kernel.numpy()
    assert np.std(kernel) == pytest.approx(np.sqrt(1 / 50), rel=0.1)
    assert len(np.unique(kernel)) == kernel.size
    assert not layer.bias.numpy().any()


def test_a_saved_model_has_the_layer_again(tmp_path):
    layer = PartiallyConnectedConv2D(C3_CONNECTIONS, 5, kernel_initializer="he_normal", name="c3")
    model = keras.Sequential([keras.Input((9, 8, 6)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("c3")) is PartiallyConnectedConv2D
    assert loaded.get_layer("c3").get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(maps()), model(maps()))


@pytest.mark.parametrize("table", [[], [()], [(0, 0)], [(-1,)], [(0.5,)], 3, [3], ["01"]])
def test_bad_connections(table):
    with pytest.raises(ValueError, match="connections must hold.*Received: connections="):
        PartiallyConnectedConv2D(table, 5)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="kernel_size must be .* Received: kernel_size=0"):
        PartiallyConnectedConv2D([(0,)], 0)
    with pytest.raises(ValueError, match="input map 5, counted from 0.*3 maps"):
        PartiallyConnectedConv2D([(5,)], 3).build((None, 9, 9, 3))
