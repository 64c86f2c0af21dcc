"""The fast kernels against Keras's own: the same answers, gradients and files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.layers import BatchNormalization, fast_training, small_maps
from kcnn.layers.small_maps import Geometry, convolve

# size, kernel, strides, same; small enough for each of the ways to be chosen.
GEOMETRIES = [
    ((2, 2), (3, 3), (1, 1), True),
    ((1, 1), (3, 3), (1, 1), True),
    ((1, 3), (1, 3), (1, 1), True),
    ((3, 2), (2, 2), (1, 1), False),
    ((3, 3), (3, 2), (3, 3), True),
    ((2, 2), (1, 1), (2, 2), True),
    ((2, 4), (2, 3), (2, 2), True),
    ((4, 4), (4, 4), (1, 1), False),
]
CHANNELS = 128
_AVX2, _AVX512 = {"avx", "avx2"}, {"avx", "avx2", "avx512f", "avx512_bf16"}


def _use(flags, monkeypatch, *, onednn=True):
    """Choose the ways of a processor with these instruction sets."""
    monkeypatch.setattr(small_maps, "processor_flags", lambda: flags)
    monkeypatch.setattr(small_maps, "has_onednn", lambda: onednn)


@pytest.mark.parametrize(("size", "kernel_size", "strides", "same"), GEOMETRIES)
def test_products_equal_the_convolution_and_its_gradients(size, kernel_size, strides, same):
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(2, *size, CHANNELS)))
    kernel = tf.constant(random.normal(size=(*kernel_size, CHANNELS, CHANNELS + 1)))
    geometry = Geometry(size, kernel_size, strides, same)

    def stock(images, kernel):
        return tf.nn.conv2d(images, kernel, strides, "SAME" if same else "VALID")

    expected, *expected_gradients = _with_gradients(stock, images, kernel)
    received, *gradients = _with_gradients(lambda *each: convolve(*each, geometry), images, kernel)

    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-9)
    for gradient, reference in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "flags", "size", "kernel_size", "strides", "same"),
    [
        ("bfloat16", _AVX512, (9, 9), (3, 3), (2, 2), True),
        ("bfloat16", _AVX512, (8, 8), (3, 3), (1, 1), True),
        # The kernel passes over a part of the rows only.
        ("bfloat16", _AVX512, (11, 8), (4, 3), (3, 2), False),
        ("bfloat16", _AVX512, (8, 16), (2, 3), (1, 2), True),
        ("float32", _AVX2, (7, 7), (3, 3), (2, 2), True),
        ("float32", _AVX2, (4, 4), (3, 3), (1, 1), True),
        ("float32", _AVX2, (11, 8), (4, 3), (3, 2), False),
        ("float32", _AVX2, (4, 8), (2, 3), (1, 2), True),
    ],
)
def test_images_and_channels_are_exchanged_for_the_kernels_gradient(
    dtype, flags, size, kernel_size, strides, same, monkeypatch
):
    _use(flags, monkeypatch)
    random = np.random.default_rng(0)
    # Whole numbers, small enough for bfloat16 sums of them to be exact in every order.
    images = tf.constant(random.integers(-1, 2, (2, *size, 64)), dtype)
    kernel = tf.constant(random.integers(-1, 2, (*kernel_size, 64, 65)), dtype)
    geometry = Geometry(size, kernel_size, strides, same)

    def stock(images, kernel):
        return tf.nn.conv2d(images, kernel, strides, "SAME" if same else "VALID")

    expected = _with_gradients(stock, images, kernel)
    received = _with_gradients(lambda *each: convolve(*each, geometry), images, kernel)

    # The forward pass and the images' gradient are TensorFlow's own.
    graph = tf.function(
        lambda *each: _with_gradients(lambda *both: convolve(*both, geometry), *each)
    )
    kinds = {
        each.type for each in graph.get_concrete_function(images, kernel).graph.get_operations()
    }
    assert {"Conv2D", "Conv2DBackpropInput"} <= kinds and "Conv2DBackpropFilter" not in kinds
    for mine, reference in zip(received, expected, strict=True):
        reference = tf.cast(reference, tf.float32)
        np.testing.assert_allclose(tf.cast(mine, tf.float32), reference, rtol=0.02, atol=0.5)


@pytest.mark.parametrize(
    ("flags", "onednn", "exchanges"),
    [
        (_AVX2, True, True),
        (_AVX2, False, False),
        (_AVX2, None, False),
        (_AVX512, True, False),
        (set(), True, False),  # not known
    ],
)
def test_in_float32_the_processor_decides(flags, onednn, exchanges, monkeypatch):
    _use(flags, monkeypatch, onednn=onednn)
    geometry = Geometry((4, 4), (3, 3), (1, 1), same=True)
    outputs = convolve(tf.zeros([1, 4, 4, 64]), tf.zeros([3, 3, 64, 64]), geometry)
    assert (outputs is not None) == exchanges


@pytest.mark.parametrize("channels", [3, 63])
@pytest.mark.parametrize("flags", [_AVX2, _AVX512])
def test_few_channels_and_large_maps_stay_with_tensorflow(channels, flags, monkeypatch):
    _use(flags, monkeypatch)
    kernel = tf.zeros([3, 3, channels, 256])
    geometry = Geometry((4, 4), (3, 3), (1, 1), same=True)
    assert convolve(tf.zeros([1, 4, 4, channels]), kernel, geometry) is None
    wide = tf.zeros([3, 3, 256, 256])
    assert convolve(tf.zeros([1, 8, 8, 256]), wide, Geometry((8, 8), (3, 3), (1, 1), True)) is None
    # Too large a map; a matrix product already.
    for side, taps, dtype in (
        (9, 3, "bfloat16"),
        (8, 1, "bfloat16"),
        (5, 3, "float32"),
        (4, 1, "float32"),
    ):
        images, kernel = tf.zeros([1, side, side, 64], dtype), tf.zeros([taps, taps, 64, 64], dtype)
        geometry = Geometry((side, side), (taps, taps), (1, 1), same=True)
        assert convolve(images, kernel, geometry) is None


def test_a_stock_model_takes_the_same_steps_inside_as_outside():
    fast, plain = _stock_model(), _stock_model()
    images, labels = np.random.default_rng(0).normal(size=(16, 4, 4, 8)), np.arange(16) % 10
    for model in (fast, plain):
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), _LOSS)
    with fast_training(fast):
        assert [type(layer) for layer in fast.layers].count(BatchNormalization) == 2
        fast.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    plain.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for mine, reference in zip(fast.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, reference, atol=2e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("policy", "flags", "side"), [("mixed_bfloat16", _AVX512, 8), ("float32", _AVX2, 4)]
)
def test_a_model_has_the_same_gradients_inside_as_outside(bias, policy, flags, side, monkeypatch):
    """On small maps with many channels the kernel's is a convolution forward.

    In bfloat16 the bias's is a sum. Sums of at most 256 numbers from -1 to 1 are exact in any
    order: on processors without units for bfloat16, TensorFlow adds in it.
    """
    _use(flags, monkeypatch)
    options = {"padding": "same", "use_bias": bias, "dtype": policy}
    convolution = keras.layers.Conv2D(256, 3, **options)
    model = keras.Sequential([keras.Input((side, side, 256)), convolution])
    random = np.random.default_rng(0)
    images, upstream = (
        tf.constant(random.integers(-1, 2, (4, side, side, 256)), tf.float32) for _ in range(2)
    )

    def gradients():
        @tf.function
        def step(images):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.cast(model(images), tf.float32) * upstream)
            return tape.gradient(loss, [weight.value for weight in model.trainable_weights])

        operations = step.get_concrete_function(images).graph.get_operations()
        return step(images), {operation.type for operation in operations}

    with fast_training(model):
        fast, operations = gradients()
        assert "Conv2DBackpropFilter" not in operations
        assert "BiasAddGrad" not in operations or policy == "float32"
    plain, operations = gradients()
    assert "Conv2DBackpropFilter" in operations
    for mine, reference in zip(fast, plain, strict=True):
        assert mine.dtype == reference.dtype == tf.float32
        np.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_images_are_normalized_and_maps_dropped_as_keras_does_it(dtype):
    """To the bit in float32; the same numbers are drawn."""
    keras.utils.set_random_seed(0)
    statistics = {"mean": [125.3, 123.0, 113.9], "variance": [63.0**2, 62.1**2, 66.7**2]}
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3), dtype="uint8"),
            keras.layers.Normalization(**statistics, dtype=dtype),
            keras.layers.SpatialDropout2D(0.4, seed=1, dtype=dtype),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (64, 6, 5, 3), np.uint8)
    counter = model.layers[1].seed_generator.state

    def received(training):
        counter.assign(keras.ops.zeros_like(counter))
        outputs = model(images, training=training)
        return outputs.dtype.name, tf.cast(outputs, tf.float32).numpy()

    plain = [received(training) for training in (False, True)]
    assert (plain[1][1] == 0).all(axis=(1, 2)).any()
    with fast_training(model):
        assert [type(layer).__module__ for layer in model.layers] == [
            "kcnn.layers.few_channels"
        ] * 2
        fast = [received(training) for training in (False, True)]
    for mine, reference in zip(fast, plain, strict=True):
        assert mine[0] == reference[0]
        np.testing.assert_array_equal(mine[1], reference[1])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0], invert=True), (3, 3, 2)),
        (keras.layers.Normalization(axis=(1, 2), mean=1.0, variance=2.0), (3, 3, 2)),
        (keras.layers.Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0]), (None, None, 2)),
        (keras.layers.Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0]), (2,)),
    ],
)
def test_what_is_no_normalization_by_channel_is_left_to_keras(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    images = np.random.default_rng(0).normal(size=(2, *(each or 3 for each in shape)))
    expected = model(images)
    with fast_training(model):
        np.testing.assert_array_equal(model(images), expected)


def test_the_model_is_stock_again_even_after_an_error(tmp_path):
    model = _stock_model()
    before = [type(layer) for layer in model.layers]
    with pytest.raises(RuntimeError, match="in the middle"), fast_training(model):
        model.save(tmp_path / "inside.keras")  # as a checkpoint does
        raise RuntimeError("in the middle")
    assert [type(layer) for layer in model.layers] == before
    assert "convolution_op" not in vars(model.get_layer("wide"))
    loaded = keras.models.load_model(tmp_path / "inside.keras")
    assert [type(layer) for layer in loaded.layers] == before


def test_one_inside_another_and_a_layer_in_two_models():
    shared = keras.layers.Conv2D(4, 1)
    inner = keras.Sequential([keras.Input((4, 4, 3)), shared])
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Add()([inner(image), shared(image)]))
    with fast_training(model):
        with fast_training(model):
            assert "convolution_op" in vars(shared)
        assert "convolution_op" in vars(shared)
    assert "convolution_op" not in vars(shared)


def test_what_inference_traces_afterwards_is_a_convolution():
    model = _stock_model()
    with fast_training(model):
        inside = _operators(model)
    assert "Conv2D" in _operators(model)
    assert "Conv2D" not in inside


_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _with_gradients(function, images, kernel):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = function(images, kernel)
        loss = tf.reduce_sum(tf.sin(outputs) if outputs.dtype == tf.float64 else outputs)
    return [outputs, *tape.gradient(loss, [images, kernel])]


def _stock_model():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((2, 2, 128)), keras.layers.Conv2D(128, 3, padding="same", name="inner")]
    )
    return keras.Sequential(
        [
            keras.Input((4, 4, 8)),
            keras.layers.Normalization(mean=[0.1] * 8, variance=[2.0] * 8),
            keras.layers.SpatialDropout2D(0.3, seed=0),
            keras.layers.Conv2D(128, 1, strides=2, name="narrow"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Conv2D(128, 3, padding="same", activation="relu", name="wide"),
            keras.layers.BatchNormalization(momentum=0.9),
            inner,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )


def _operators(model):
    wide = model.get_layer("wide")
    graph = tf.function(wide.__call__).get_concrete_function(tf.TensorSpec([None, 2, 2, 128])).graph
    return {operation.type for operation in graph.get_operations()}
