"""The pieces that the families share, each against a computation by hand."""

import keras
import numpy as np
import pytest

from kcnn.models import blocks


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def run(layers, x):
    """Send an array through layers in inference."""
    for layer in layers:
        x = layer(x)
    return np.asarray(x)


# Activations, initializers, dropout

VALUES = np.array([-3.0, -1.0, -0.1, 0.0, 0.5, 2.0])


def gaussian_cdf(x):
    from math import erf

    return np.array([0.5 * (1 + erf(value / 2**0.5)) for value in x])


FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * gaussian_cdf(x),
    "tanh": np.tanh,
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "linear": lambda x: x,
}

every_activation = pytest.mark.parametrize("kind", blocks.ACTIVATIONS)


@every_activation
def test_activation_is_its_formula(kind):
    (layer,) = blocks.activation(kind, name="conv")
    assert layer.name == f"conv_{kind}"
    values = np.asarray(layer(VALUES.astype("float32")))
    np.testing.assert_allclose(values, FORMULAS[kind](VALUES), atol=1e-6)


@every_activation
def test_automatic_initializer_keeps_the_signal(kind):
    """After 8 dense layers, signals have neither died nor exploded, as others would make them."""
    keras.utils.set_random_seed(0)
    style = {"activation": kind, "initializer": "auto"}
    layers = [blocks.dense_block(256, name=f"dense{i}", **style) for i in range(8)]
    start = random(64, 256)
    final = run([layer for block in layers for layer in block], start).std()
    assert 0.1 < final < 4, final


@pytest.mark.parametrize(
    "kind, scale, mode",
    [("relu", 2.0, "fan_in"), ("selu", 1.0, "fan_in"), ("tanh", 1.0, "fan_avg")],
)
def test_automatic_initializer_has_the_papers_variance(kind, scale, mode):
    initializer = blocks.initializer("auto", kind)
    assert (initializer.scale, initializer.mode) == (scale, mode)
    kernel = np.asarray(initializer((200, 400)))
    fan = {"fan_in": 200, "fan_avg": 300}[mode]
    assert kernel.var() == pytest.approx(scale / fan, rel=0.03)


@pytest.mark.parametrize(
    "normal",
    [
        keras.initializers.RandomNormal(mean=0.5, stddev=0.02),
        {"class_name": "RandomNormal", "config": {"mean": 0.5, "stddev": 0.02}},
    ],
    ids=["object", "dictionary"],
)
def test_normal_initializer_has_its_mean_and_deviation(normal):
    (layer, _) = blocks.dense_block(300, name="dense", initializer=normal)
    layer.build((None, 300))
    kernel = layer.kernel.numpy()
    assert kernel.mean() == pytest.approx(0.5, abs=5e-4)
    assert kernel.std() == pytest.approx(0.02, rel=0.02)


def test_layers_never_share_their_initial_numbers():
    he = blocks.initializer("he_normal")
    first, second = (blocks.conv(4, 3, name="conv", initializer=he)[0] for _ in range(2))
    for layer in (first, second):
        layer.build((None, 8, 8, 2))
    assert np.abs(first.kernel.numpy() - second.kernel.numpy()).max() > 0.1


def test_scaled_tanh():
    x = np.array([[-1.0, 0.0, 0.5, 1.0, 20.0]], "float32")
    expected = [-1.0, 0.0, 1.7159 * np.tanh(1 / 3), 1.0, 1.7159]
    np.testing.assert_allclose(run(blocks.scaled_tanh("c1"), x)[0], expected, atol=1e-4)


def test_selu_brings_alpha_dropout():
    selu, elu = (
        blocks.conv_block(4, 3, name="c", activation=a, dropout=0.5)[-1] for a in ("selu", "elu")
    )
    assert (type(selu), type(elu)) == (keras.layers.AlphaDropout, keras.layers.Dropout)
    (*_, dense) = blocks.dense_block(4, name="d", activation="selu", dropout=0.5)
    assert type(dense) is keras.layers.AlphaDropout


# Convolutions


def test_conv_block_is_convolution_batch_norm_activation_dropout():
    layers = blocks.conv_block(5, 3, name="conv", activation="elu", dropout=0.2, use_bias=True)
    assert [layer.__class__.__name__ for layer in layers] == [
        *["Conv2D", "BatchNormalization", "ELU", "Dropout"]
    ]
    assert [layer.name for layer in layers] == ["conv", "conv_bn", "conv_elu", "conv_dropout"]
    bare = blocks.conv_block(5, 3, name="conv", normalized=False)
    assert [layer.name for layer in bare] == ["conv", "conv_relu"]
    assert layers[0].use_bias and not bare[0].use_bias
    x = random(2, 6, 6, 3)
    np.testing.assert_array_equal(run(bare, x), np.maximum(run(bare[:1], x), 0))


def convolve(x, kernel, stride, dilation):
    """Slide `kernel` over the padded maps `x` (height, width, channels), the slow way."""
    reach = dilation * (kernel.shape[0] - 1) + 1
    rows, columns = ((size - reach) // stride + 1 for size in x.shape[:2])
    out = np.zeros((rows, columns, kernel.shape[-1]))
    for row in range(rows):
        for column in range(columns):
            window = x[
                row * stride : row * stride + reach : dilation,
                column * stride : column * stride + reach : dilation,
            ]
            out[row, column] = np.einsum("hwi,hwio->o", window, kernel)
    return out


@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["valid", "full", "same", "reflect"])
def test_padding_stride_and_dilation(padding, stride, dilation):
    x = random(1, 7, 7, 2)
    options = {"strides": stride, "dilation_rate": dilation}
    layers = blocks.conv(3, 3, name="conv", padding=padding, **options)
    border = {"valid": 0, "same": dilation, "full": 2 * dilation, "reflect": dilation}[padding]
    mode = "reflect" if padding == "reflect" else "constant"
    padded = np.pad(x[0], ((border, border), (border, border), (0, 0)), mode)
    actual = run(layers, x)[0]
    expected = convolve(padded, layers[-1].kernel.numpy(), stride, dilation)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def norm(x, axis):
    return np.sqrt(np.sum(x**2, axis=axis))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pieces_of_every_rank(rank):
    x = random(2, *[6] * rank, 2)
    full = blocks.conv(3, 3, name="conv", rank=rank, padding="full")
    assert run(full, x).shape == (2, *[8] * rank, 3)
    mirrored = blocks.conv(3, 4, name="conv", rank=rank, padding="reflect")
    padded = run(mirrored[:1], x)
    np.testing.assert_array_equal(padded, np.pad(x, [(0, 0), *[(1, 2)] * rank, (0, 0)], "reflect"))
    for kind, reduce in (("max", np.max), ("average", np.mean), ("min", np.min), ("l2", norm)):
        windows = x.reshape(2, *[3, 2] * rank, 2)
        axes = tuple(range(2, 2 + 2 * rank, 2))
        expected = reduce(windows, axis=axes)
        actual = run(blocks.pool(kind, name="pool", rank=rank), x)
        np.testing.assert_allclose(actual, expected, atol=1e-6)
        expected = reduce(x, axis=tuple(range(1, rank + 1)))
        actual = run(blocks.global_pool(kind, name="pool", rank=rank), x)
        np.testing.assert_allclose(actual, expected, atol=1e-6)
    border = run(blocks.normalize(2, padding=1, rank=rank), np.full_like(x, 255))
    assert border.shape == (2, *[8] * rank, 2)
    middle = border[(0, *[4] * rank, 0)]
    if rank == 2:
        assert border.ravel()[0] < 0 < middle
    else:  # series and voxels are not scaled as images
        assert border.ravel()[0] == 0 and middle == 255


def test_overlapping_pooling_and_its_padding():
    x = random(1, 6, 6, 2)
    for padding, size in (("valid", 2), ("same", 3)):
        actual = run(blocks.pool("min", 3, name="pool", strides=2, padding=padding), x)
        starts = range(0, 2 * size, 2)
        expected = [[x[0, i : i + 3, j : j + 3].min(axis=(0, 1)) for j in starts] for i in starts]
        np.testing.assert_array_equal(actual[0], expected)


REDUCTIONS = {"max": np.max, "average": np.mean, "min": np.min, "l2": norm}


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize(
    "size, pool, stride", [(7, 3, 2), (8, 3, 2), (7, 2, 3), (5, 1, 3), (2, 3, 2)]
)
def test_pooling_that_reaches_over_the_end(kind, size, pool, stride):
    """As in Caffe: the size is rounded up, and what is outside does not count."""
    x = random(1, size, size, 2)
    layers = blocks.pool(kind, pool, name="pool", strides=stride, padding="ceil")
    starts = [at for at in range(0, size, stride) if at == 0 or at + pool - stride < size]
    expected = [
        [REDUCTIONS[kind](x[0, i : i + pool, j : j + pool], axis=(0, 1)) for j in starts]
        for i in starts
    ]
    np.testing.assert_allclose(run(layers, x)[0], expected, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_l2_pooling_with_kerass_paddings(padding):
    x = random(2, 6, 5, 3)
    squares = keras.layers.AveragePooling2D(3, 2, padding)(np.pad(x**2, 0))
    (layer,) = blocks.pool("l2", 3, name="pool", strides=2, padding=padding)
    received = np.asarray(layer(x))
    assert received.shape == squares.shape == layer.compute_output_shape(x.shape)
    inner = received[:, 1:-1, 1:-1] if padding == "same" else received
    squares = squares[:, 1:-1, 1:-1] if padding == "same" else squares
    np.testing.assert_allclose(inner, np.sqrt(9 * np.asarray(squares)), rtol=1e-5)


def test_l2_pooling_of_zeros_has_a_gradient():
    import tensorflow as tf

    x = tf.zeros((1, 4, 4, 1))
    for layers in (blocks.pool("l2", name="p"), blocks.global_pool("l2", name="p")):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in layers:
                y = layer(y)
        assert np.isfinite(tape.gradient(y, x)).all()


def textbook():
    """A network of the pieces that Keras lacks."""
    image = keras.Input((17, 17, 3), name="image")
    pieces = [
        *blocks.conv_block(8, 3, name="a", padding="reflect", activation="hard_swish"),
        *blocks.pool("max", 3, name="pool1", strides=2, padding="ceil"),
        *blocks.conv_block(8, 3, name="b", activation="linear", normalized=False),
        *blocks.pool("l2", 2, name="pool2"),
        *blocks.global_pool("l2", name="pool3"),
        blocks.logits(4),
    ]
    return keras.Model(image, blocks.apply(pieces, image), name="textbook")


def test_a_network_of_them_is_saved_measured_slimmed_and_explained(tmp_path):
    import kcnn

    model = textbook()
    model.save(tmp_path / "textbook.keras")
    x = 255 * np.random.default_rng(0).random((4, 17, 17, 3), np.float32)
    again = kcnn.models.load(tmp_path / "textbook.keras")
    np.testing.assert_allclose(again(x), model(x), rtol=1e-5)
    assert kcnn.arithmetic.model_arithmetic(model).receptive_field == (11, 11)
    slim = kcnn.slim(model, macs=0.6, multiple_of=2).model
    assert slim(x).shape == (4, 4)
    heatmaps = kcnn.grad_cam(model, x)
    assert heatmaps.layer == "b" and heatmaps.raw.shape == (4, 8, 8)


def test_they_are_exported(tmp_path):
    import kcnn
    from kcnn.litert import TFLiteClassifier

    model, path = textbook(), tmp_path / "model.tflite"
    images = np.random.default_rng(0).integers(0, 256, (12, 17, 17, 3), np.uint8)
    expected = np.asarray(model(images.astype("float32")))
    for quantization, error in (("none", 1e-4), ("int8", 0.05)):
        kcnn.export_tflite(model, path, quantization=quantization, calibration=images)
        classifier = TFLiteClassifier(path)
        assert classifier.quantization == quantization
        assert np.abs(classifier(images) - expected).max() < error * np.abs(expected).max()


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "full"])
def test_grouped_conv_equals_keras(groups, padding):
    image = keras.Input((5, 7, 6))
    options = {"strides": 2, "use_bias": True}
    output = blocks.grouped_conv(
        image, 12, 3, groups=groups, name="conv", padding=padding, **options
    )
    model = keras.Model(image, output)
    kernels = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(kernels) == groups
    for index, layer in enumerate(kernels):
        layer.bias.assign(np.arange(12 // groups) + index)
    x = random(2, 5, 7, 6)
    border = 2 if padding == "full" else 0
    reference = keras.layers.Conv2D(
        12, 3, groups=groups, padding="valid" if border else padding, **options
    )
    reference.build((None, None, None, 6))
    reference.kernel.assign(np.concatenate([layer.kernel for layer in kernels], axis=-1))
    reference.bias.assign(np.concatenate([layer.bias for layer in kernels]))
    padded = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    np.testing.assert_allclose(model(x), reference(padded), atol=1e-5)


# Bad arguments


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: blocks.activation("rellu", name="a"), "Unknown activation 'rellu'. .*'relu'"),
        (lambda: blocks.initializer("he"), "Unknown initializer 'he'. .*he_normal"),
        (lambda: blocks.initializer("auto", "softmax"), "Unknown activation 'softmax'"),
        (lambda: blocks.initializer(3), "initializer must be one of .* Received: initializer=3"),
        (lambda: blocks.initializer({"mean": 0}), "initializer must be .* Received: initializer="),
        (
            lambda: blocks.initializer({"class_name": "L2", "config": {}}),
            "initializer must be .* Received: initializer=",
        ),
        (lambda: blocks.dropout(1.0, name="d"), "dropout must be at least 0 and below 1"),
        (lambda: blocks.conv_block(4, 3, name="c", dropout=-1), "dropout must be .* Received"),
        (lambda: blocks.dense_block(4, name="d", dropout="half"), "dropout must be .* Received"),
        (lambda: blocks.conv(4, 3, name="c", padding="sane"), "Unknown padding 'sane'. .*'same'"),
        (lambda: blocks.conv(4, 3, name="c", rank=4), "rank must be 1 .* Received: rank=4"),
        (lambda: blocks.conv(4, 3, name="c", initializer="he_norml"), "mean 'he_normal'"),
        (lambda: blocks.pool("mean", name="p"), "Unknown pooling 'mean'. .*average, l2, max, min"),
        (lambda: blocks.pool("max", name="p", rank=0), "rank must be 1 .* Received: rank=0"),
        (lambda: blocks.global_pool("sum", name="p"), "Unknown pooling 'sum'"),
        (
            lambda: blocks.pool("l2", name="p", padding="full"),
            "Unknown padding 'full'. .*ceil, same, valid",
        ),
        (
            lambda: blocks.apply(
                blocks.pool("max", name="p", padding="ceil"), keras.Input((None, None, 3))
            ),
            "'ceil' needs maps of a fixed size",
        ),
        (
            lambda: blocks.apply(
                blocks.conv(4, 7, name="c", padding="reflect"), keras.Input((3, 3, 3))
            ),
            "A map of 3 pixels can be mirrored by 2 at most",
        ),
        (
            lambda: blocks.grouped_conv(keras.Input((8, 8, 4)), 6, 3, groups=4, name="c"),
            "groups must divide 4 channels and 6 filters. Received: groups=4",
        ),
        (
            lambda: blocks.image_input((8, 8), minimum_size=4, ranks=(2, 3)),
            r"\(height, width, channels\) or four .*Received: input_shape=\(8, 8\)",
        ),
        (
            lambda: blocks.image_input((3, 8), minimum_size=4, ranks=(1,)),
            "at least 4 steps for this network",
        ),
        (
            lambda: blocks.image_input((8, 8, 3, 1), minimum_size=4, ranks=(3,)),
            "at least 4x4x4 voxels for this network",
        ),
        (lambda: blocks.check_flag("head", 1), "head must be True or False. Received: head=1"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
