"""The two oldest networks against their papers."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn.models
from kcnn.models import build

LAYERS = keras.layers
MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255


def pixels(count=2, shape=(32, 32, 3)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype("uint8")


def randomize(model):
    """Give every bias and every coefficient a value of its own; return all weights by name."""
    random, values = np.random.default_rng(3), {}
    for layer in model.layers:
        for variable in layer.weights:
            if variable.name == "bias" or layer.name in ("s2", "s4"):
                variable.assign(variable + random.normal(0, 0.3, variable.shape))
            values[f"{layer.name}/{variable.name}"] = variable.numpy().astype("float64")
    return values


def test_lenet5_has_the_papers_parameters():
    gray, color = build("lenet5", input_shape=(32, 32, 1)), build("lenet5")
    counts = {layer.name: layer.count_params() for layer in gray.layers if layer.weights}
    # C1, S2, C3, S4, C5 and F6 as the paper states them.
    assert counts == {
        "c1": 156,
        "s2": 12,
        "c3": 1_516,
        "s4": 32,
        "c5": 48_120,
        "f6": 10_164,
        "logits": 850,
    }
    assert gray.count_params() - 850 == 60_000
    assert color.count_params() - 850 == 60_300
    assert build("lenet5", variant="modern").count_params() == 62_006


def lenet5_in_float64(weights, images):
    """Run LeNet-5 by the paper's equations: sums of 2x2, table I written out, 1.7159 tanh(2a/3)."""
    table = """
        X...XXX..XXXX.XX
        XX...XXX..XXXX.X
        XXX...XXX..X.XXX
        .XXX..XXXX..X.XX
        ..XXX..XXXX.XX.X
        ...XXX..XXXX.XXX
    """.split()

    def squash(a):
        return 1.7159 * np.tanh(2 / 3 * a)

    def convolve(x, kernel):
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
        return np.einsum("bhwcij,ijco->bhwo", windows, kernel)

    def subsample(x, name):
        sums = x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]
        coefficient = weights[f"{name}/kernel"].reshape(-1) / 4
        return squash(sums * coefficient + weights[f"{name}/bias"])

    x = squash(convolve((images - MEAN) / STD, weights["c1/kernel"]) + weights["c1/bias"])
    x = subsample(x, "s2")
    kernel, links = np.zeros((5, 5, 6, 16)), iter(np.moveaxis(weights["c3/kernel"], -1, 0))
    for map_ in range(16):
        for seen in range(6):
            if table[seen][map_] == "X":
                kernel[:, :, seen, map_] = next(links)
    x = subsample(squash(convolve(x, kernel) + weights["c3/bias"]), "s4").reshape(len(x), -1)
    for name in ("c5", "f6"):
        x = squash(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"])
    return x @ weights["logits/kernel"] + weights["logits/bias"]


def test_lenet5_equals_the_papers_equations():
    model = build("lenet5")
    weights = randomize(model)
    expected = lenet5_in_float64(weights, pixels())
    np.testing.assert_allclose(model(pixels()), expected, rtol=1e-4, atol=1e-4)


def test_modern_lenet5_takes_other_activations():
    model = build("lenet5", variant="modern", activation="elu", initializer="glorot_uniform")
    assert sum(isinstance(layer, LAYERS.ELU) for layer in model.layers) == 4
    for options in ({"activation": "elu"}, {"initializer": "he_normal"}):
        with pytest.raises(ValueError, match="options of variant='modern'.* Received: activation="):
            build("lenet5", **options)


def test_alexnet_has_the_papers_parameters_and_maps():
    model = build("alexnet", input_shape=(227, 227, 3), num_classes=1000, variant="paper")
    assert model.count_params() == 60_965_224
    names = ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5", "dense1"]
    assert [model.get_layer(name).output.shape[1:] for name in names] == [
        *[(55, 55, 96), (27, 27, 96), (27, 27, 256), (13, 13, 256), (13, 13, 384)],
        *[(13, 13, 384), (13, 13, 256), (6, 6, 256), (4096,)],
    ]
    # Each unit of conv2, conv4 and conv5 sees half of the maps before it.
    for name, shape in (("conv2", (5, 5, 48, 128)), ("conv4", (3, 3, 192, 192))):
        for group in ("group1", "group2"):
            assert model.get_layer(f"{name}_{group}").kernel.shape == shape


def test_alexnet_starts_as_in_the_paper():
    model = build("alexnet", input_shape=(67, 67, 3), variant="paper", dense_units=64)
    ones = {"conv2", "conv4", "conv5", "dense1", "dense2"}
    for layer in model.layers:
        if layer.weights and layer.name != "logits":
            assert np.std(layer.kernel) == pytest.approx(0.01, rel=0.05)
            assert set(np.ravel(layer.bias)) == {float(layer.name.split("_")[0] in ones)}
    assert not np.array_equal(
        model.get_layer("conv2_group1").kernel, model.get_layer("conv2_group2").kernel
    )


@pytest.mark.parametrize(
    "options",
    [{"dense_units": 16}, {"dense_units": 16, "variant": "paper", "input_shape": (67, 67, 3)}],
    ids=["cifar", "paper"],
)
def test_alexnet_equals_the_papers_operations(options):
    """With TensorFlow's own grouped convolution and local response normalization."""
    paper = "variant" in options
    images = pixels(shape=options.get("input_shape", (32, 32, 3)))
    model = build("alexnet", **options)
    weights = randomize(model)

    def convolve(x, name, strides=1, padding="SAME"):
        joined = []
        for weight in ("kernel", "bias"):
            groups = [f"{name}_{group}/{weight}" for group in ("group1", "group2")]
            found = [weights[path] for path in groups if path in weights]
            joined.append(np.concatenate(found or [weights[f"{name}/{weight}"]], axis=-1))
        # A kernel that is half as deep as its input makes a convolution of two groups.
        y = tf.nn.conv2d(x, joined[0].astype("float32"), strides, padding)
        return tf.nn.relu(y + joined[1].astype("float32"))

    def pool(x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    border = 0 if paper else 2
    x = np.pad(images, ((0, 0), (border, border), (border, border), (0, 0)))
    x = ((x - MEAN) / STD).astype("float32")
    x = convolve(x, "conv1", strides=4 if paper else 1, padding="VALID")
    x = pool(tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75))
    x = compiled(convolve, x, "conv2")
    x = pool(tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75))
    x = compiled(convolve, compiled(convolve, convolve(x, "conv3"), "conv4"), "conv5")
    x = tf.reshape(pool(x), (len(images), -1)).numpy()
    for name in ("dense1", "dense2"):
        x = np.maximum(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], 0)
    expected = x @ weights["logits/kernel"] + weights["logits/bias"]
    actual = model(images, training=False)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def compiled(function, x, name):
    # On a CPU, TensorFlow can run a grouped convolution only when XLA compiles it.
    return tf.function(lambda x: function(x, name), jit_compile=True)(x)


def test_alexnet_needs_its_pixels():
    with pytest.raises(ValueError, match="at least 67x67 pixels"):
        build("alexnet", variant="paper")
    with pytest.raises(ValueError, match="Unknown variant 'papre'. Did you mean 'paper'?"):
        build("alexnet", variant="papre")


LOAD = """
import sys, numpy as np, kcnn.models
for path, own in ((sys.argv[1], 1), (sys.argv[2], 2)):
    model = kcnn.models.load(path)
    assert [type(layer).__module__.split(".")[0] for layer in model.layers].count("kcnn") == own
    np.save(path + ".npy", model(np.load(sys.argv[3])))
"""


def test_saved_files_load_with_their_own_layers(tmp_path):
    """In a process of its own, which has not imported the layers before."""
    models = {"lenet5": build("lenet5"), "alexnet": build("alexnet", dense_units=16)}
    paths = [kcnn.models.save(model, tmp_path / f"{name}.keras") for name, model in models.items()]
    np.save(tmp_path / "images.npy", pixels())
    subprocess.run([sys.executable, "-c", LOAD, *paths, tmp_path / "images.npy"], check=True)
    for path, model in zip(paths, models.values(), strict=True):
        np.testing.assert_allclose(np.load(f"{path}.npy"), model(pixels()), rtol=1e-5, atol=1e-5)
