"""Quantization-aware training: a model in training computes what its int8 file will compute."""

import os
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from narrow_models import FIRST, build_narrow

import kcnn
from kcnn.compress import check_quantize_aware, quantize_aware, recover, sparsity
from kcnn.compress.kernels import kernel_variables
from kcnn.compress.qat.insert_fake_quantize import insert_fake_quantize
from kcnn.export import ExportResult
from kcnn.layers import (
    FakeQuantize,
    QuantizeAwareConv2D,
    QuantizeAwareDense,
    QuantizeAwareDepthwiseConv2D,
    QuantizeAwarePartiallyConnectedConv2D,
    fake_quantized_kernel,
)

L = keras.layers


@pytest.fixture(scope="module")
def data() -> kcnn.data.Data:
    return kcnn.data.load("digits", limit=160, batch_size=16, augment="none")


def noise(count: int, shape=(32, 32, 3), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images.astype(np.float32), training=False))


def taught(model: keras.Model, images: np.ndarray) -> keras.Model:
    """Return `model` with roundings whose bounds are those of `images`."""
    aware = insert_fake_quantize(model)
    for layer in aware.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.momentum = 0.0
    aware(images.astype(np.float32), training=True)
    return aware


# Kernels


def rounded(kernel: np.ndarray) -> np.ndarray:
    """Round to 255 steps a channel, the last axis, in float64."""
    kernel = np.float64(kernel)
    scale = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
    return np.floor(kernel / scale + 0.5) * scale


@pytest.mark.parametrize("shape", [(3, 3, 7, 20), (50, 12)])
def test_kernels_are_rounded_to_255_values_a_channel(shape):
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    kernel[..., 0] = 0
    kernel[0] = 0
    result = np.asarray(fake_quantized_kernel(kernel))
    assert all(len(np.unique(result[..., each])) <= 255 for each in range(shape[-1]))
    np.testing.assert_allclose(result[..., 1:], rounded(kernel[..., 1:]), rtol=0, atol=1e-6)
    assert not result[kernel == 0].any()
    again = np.asarray(fake_quantized_kernel(result))
    np.testing.assert_allclose(again, result, rtol=1e-6, atol=0)


def test_a_scaled_input_is_rounded_as_if_the_scale_were_in_the_kernel():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 6, 4)).astype(np.float32)
    scale = [0.5, 4.0, 1.5]
    result = np.asarray(fake_quantized_kernel(kernel, scale))
    channels = np.tile(scale, 2)[:, None]
    np.testing.assert_allclose(result, rounded(kernel * channels) / channels, atol=1e-6)


def test_the_gradient_passes_the_rounding_whole():
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype(np.float32))
    upstream = np.random.default_rng(1).normal(size=kernel.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = tf.reduce_sum(fake_quantized_kernel(kernel) * upstream)
    np.testing.assert_allclose(tape.gradient(loss, kernel), upstream, rtol=1e-6)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (QuantizeAwareConv2D(5, 3, strides=2, padding="same", input_scale=[0.5, 2, 3]), (8, 8, 3)),
        (QuantizeAwareConv2D(4, 3, dilation_rate=2, activation="relu", use_bias=False), (9, 9, 3)),
        (QuantizeAwareDense(5, activation="relu"), (7,)),
        (QuantizeAwareDense(5, use_bias=False, input_scale=[2.0]), (7,)),
        (QuantizeAwareDense(5, per_channel=False), (7,)),
        (QuantizeAwareConv2D(5, 3, weight_bits=4), (8, 8, 3)),
        (QuantizeAwareDepthwiseConv2D(3, depth_multiplier=2, padding="same"), (8, 8, 3)),
        (QuantizeAwarePartiallyConnectedConv2D([(0, 1), (2,)], 3), (8, 8, 3)),
    ],
)
def test_a_layer_is_its_stock_layer_with_the_rounded_kernel(layer, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    result = np.asarray(layer(x))
    config = layer.get_config()
    for own in ("input_scale", "per_channel", "weight_bits"):
        config.pop(own, None)
    stock = layer.stock.from_config(config)
    stock.build(x.shape)
    kernel, *bias = layer.get_weights()
    stock.set_weights([np.asarray(layer.quantized_kernel()), *bias])
    assert not np.array_equal(stock.get_weights()[0], kernel)
    np.testing.assert_allclose(result, stock(x), atol=1e-5)
    assert [each.path.split("/")[-1] for each in layer.weights] == [
        each.path.split("/")[-1] for each in stock.weights
    ]


# Activations


def test_bounds_follow_the_batches_as_numpy_has_it():
    layer = FakeQuantize(momentum=0.8)
    batches = np.random.default_rng(0).normal(3, 2, (12, 40)).astype(np.float32)
    low = high = 0.0
    for step, batch in enumerate(batches):
        keep = min(0.8, step / (step + 1))
        low = low * keep + min(batch.min(), 0) * (1 - keep)
        high = high * keep + max(batch.max(), 0) * (1 - keep)
        layer(batch, training=True)
        np.testing.assert_allclose([layer.minimum, layer.maximum], [low, high], rtol=1e-5)
    assert low < 0 < high and not np.asarray(layer(np.zeros(3, np.float32))).any()
    before = layer.get_weights()
    scale = (high - low) / 255
    zero = np.round(-low / scale)
    expected = (np.clip(np.floor(batches / scale + zero + 0.5), 0, 255) - zero) * scale
    np.testing.assert_allclose(layer(batches, training=False), expected, atol=1e-4)
    np.testing.assert_equal(layer.get_weights(), before)


def test_all_pixels_pass_the_rounding_of_the_input():
    pixels = np.arange(256, dtype=np.float32)
    np.testing.assert_array_equal(FakeQuantize((0, 255))(pixels), pixels)


@pytest.mark.parametrize("arguments", [{"bounds": (1, 2)}, {"bounds": (0, 0)}, {"momentum": 1.0}])
def test_bounds_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="Received"):
        FakeQuantize(**arguments)


# The file


@pytest.mark.parametrize("name", FIRST)
def test_every_family_becomes_the_int8_file_that_it_was_trained_as(name, tmp_path):
    images = noise(24)
    keras.utils.set_random_seed(0)
    aware = taught(build_narrow(name), images)
    result = kcnn.export_tflite(aware, tmp_path / "model.tflite")  # checks that all is integer
    assert (result.input.dtype, result.input.scale, result.input.zero_point) == ("int8", 1.0, -128)
    assert result.calibration_count == 0
    # Every ReLU is part of another operator, but for those behind AlexNet's concatenations.
    assert result.operators.get("RELU", 0) == (3 if name == "alexnet" else 0)
    assert "QUANTIZE" not in result.operators
    if name.startswith("resnet"):
        own_scale = ("CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED")
        roundings = sum(isinstance(layer, FakeQuantize) for layer in aware.layers)
        assert roundings == 1 + sum(result.operators[operator] for operator in own_scale)
    assert_equal_but_for_rounding(aware, result, images)


def assert_equal_but_for_rounding(
    aware: keras.Model, exported: ExportResult, images: np.ndarray
) -> None:
    """Float sums may end on the other side of a half, and the file alone rounds averages."""
    expected = answers(aware, images)
    steps = np.abs(kcnn.TFLiteClassifier(exported.path)(images) - expected) / exported.output.scale
    assert steps.mean() < 2 and steps.max() < 10
    assert np.ptp(expected) > 40 * exported.output.scale


def odd_net() -> keras.Model:
    """What the registry does not have, each in a place of its own."""
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="fused")(L.Rescaling(1 / 127.5, -1.0)(image))
    x = L.BatchNormalization(name="alone")(x)  # behind a ReLU: an operator of its own
    x = L.Activation("relu6")(L.BatchNormalization()(L.DepthwiseConv2D(3, name="depth")(x)))
    y = L.Conv2D(8, 3, padding="same", name="shortcut")(x)
    x = L.ReLU()(L.Subtract()([L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(x)), y]))
    inner = keras.Sequential([keras.Input(x.shape[1:]), L.Conv2D(6, 1, name="conv")], name="inner")
    x = L.Multiply()([L.Activation("sigmoid")(inner(x)), L.LeakyReLU(0.1)(L.Conv2D(6, 1)(x))])
    x = L.Concatenate()([L.MaxPooling2D(2)(x), L.Activation("silu")(L.Conv2D(4, 2, strides=2)(x))])
    features = L.GlobalMaxPooling2D()(L.Activation("gelu")(x))
    x = L.ReLU()(L.BatchNormalization()(L.Dense(12, use_bias=False, name="dense")(features)))
    return keras.Model(image, L.Dense(5, bias_initializer="ones", name="logits")(L.Dropout(0.5)(x)))


def test_odd_layers_become_the_int8_file_that_they_were_trained_as(tmp_path):
    images = noise(24, (16, 16, 3))
    keras.utils.set_random_seed(0)
    aware = taught(odd_net(), images)
    result = kcnn.export_tflite(aware, tmp_path / "model.tflite")
    assert_equal_but_for_rounding(aware, result, images)
    # The batch norm that is not fused is a depthwise convolution: exact, and one operator.
    assert result.operators["DEPTHWISE_CONV_2D"] == 2
    loaded = kcnn.models.load(kcnn.models.save(aware, tmp_path / "model.keras"))
    np.testing.assert_array_equal(answers(loaded, images), answers(aware, images))
    again = kcnn.export_tflite(loaded, tmp_path / "again.tflite", calibration=images, io="uint8")
    np.testing.assert_array_equal(
        kcnn.TFLiteClassifier(again.path)(images), kcnn.TFLiteClassifier(result.path)(images)
    )


def test_without_int8_the_file_has_the_rounded_kernels_only(tmp_path):
    images = noise(8, (16, 16, 3))
    keras.utils.set_random_seed(0)
    aware = taught(odd_net(), images)
    result = kcnn.export_tflite(aware, tmp_path / "model.tflite", quantization="none")
    assert not {"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"} & set(result.operators)
    difference = np.abs(kcnn.TFLiteClassifier(result.path)(images) - answers(aware, images))
    assert difference.max() < 0.2 * np.ptp(answers(aware, images))


def test_untrained_bounds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="fused_fake_quantize' has learned no range yet: train"):
        kcnn.export_tflite(insert_fake_quantize(odd_net()), tmp_path / "model.tflite")


@pytest.mark.parametrize(
    "layers, reason",
    [
        ([L.SeparableConv2D(4, 3, name="bad")], "make it two layers"),
        (
            [L.Conv2D(4, 3, activation="elu", name="bad")],
            "its activation must be one of linear, relu",
        ),
        ([L.LayerNormalization(name="bad")], "use one of these layers instead: .*BatchNorm"),
        ([L.Activation("elu", name="bad")], "its function must be one of linear, relu"),
        ([L.ReLU(max_value=3, name="bad")], "max_value must be None or 6"),
        (
            [L.Flatten(), L.Dense(4), L.Rescaling(2.0, 1.0, name="bad"), L.ReLU()],
            "with a shift, it must get feature maps",
        ),
        (
            [L.Flatten(), L.Dense(4), L.ReLU(), L.BatchNormalization(name="bad")],
            "put it directly",
        ),
    ],
)
def test_what_cannot_be_trained_is_named(layers, reason):
    model = keras.Sequential([keras.Input((12, 12, 3)), *layers, L.Flatten(), L.Dense(3)])
    with pytest.raises(
        ValueError, match=rf"Layer 'bad' \(.*cannot be trained for int8: .*{reason}"
    ):
        insert_fake_quantize(model)


def test_operations_and_shared_layers_are_refused():
    image = keras.Input((8, 8, 3))
    conv = L.Conv2D(3, 3, padding="same", name="conv")
    twice = keras.Model(image, L.Dense(2)(L.Flatten()(conv(conv(image)))))
    with pytest.raises(ValueError, match="Layer 'conv' is called 2 times"):
        insert_fake_quantize(twice)
    sum_ = keras.Model(image, L.Dense(2)(L.Flatten()(image + image)))
    with pytest.raises(ValueError, match="use a layer in its place"):
        insert_fake_quantize(sum_)


# Training


def small_net(name: str = "small") -> keras.Model:
    """Trainable in seconds by both engines."""
    image = keras.Input((32, 32, 3), name="image")
    x = L.MaxPooling2D(4, name="shrink")(image)
    x = L.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3, name="normalize")(x)
    x = L.Conv2D(8, 3, use_bias=False, name="conv1")(x)
    x = L.ReLU(name="conv1_relu")(L.BatchNormalization(momentum=0.9, name="conv1_bn")(x))
    y = L.BatchNormalization(momentum=0.9, name="conv2_bn")(
        L.Conv2D(8, 3, padding="same", name="conv2")(x)
    )
    x = L.ReLU(name="add_relu")(L.Add(name="add")([x, y]))
    x = L.Dropout(0.1, name="dropout")(L.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(image, L.Dense(10, name="logits")(x), name=name)


@pytest.fixture(scope="module")
def half(data) -> keras.Model:
    """A trained model, half of whose kernel weights are zero."""
    keras.utils.set_random_seed(0)
    model = small_net()
    model.compile(
        keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(data.train, epochs=6, verbose=0)
    for kernel in kernel_variables(model).values():
        values = np.asarray(kernel)
        kernel.assign(np.where(np.abs(values) < np.median(np.abs(values)), 0, values))
    return model


@pytest.mark.parametrize("engine", ["keras", "tfmot"])
def test_a_pruned_model_keeps_its_zeros_and_becomes_what_it_was_trained_as(
    engine, half, data, tmp_path
):
    environment, before = dict(os.environ), half.get_weights()
    result = quantize_aware(half, data, epochs=4, learning_rate=2e-3, engine=engine)
    assert os.environ == environment and "TF_USE_LEGACY_KERAS" not in environment
    assert (
        tf.keras.__version__.startswith("3") and "tensorflow_model_optimization" not in sys.modules
    )
    np.testing.assert_equal(half.get_weights(), before)

    # Learned, with its zeros, as has the control, by the same steps.
    for model, history in [
        (result.model, result.history),
        (result.control, result.control_history),
    ]:
        assert not model.compiled
        assert len(history["loss"]) == len(history["accuracy"]) == result.epochs == 4
        assert history["loss"][-1] < history["loss"][0]
        for name, kernel in kernel_variables(model).items():
            old = np.asarray(kernel_variables(half)[name])
            assert not np.asarray(kernel)[old == 0].any()
            assert kernel.constraint is None
            moved = np.asarray(kernel)[old != 0] != old[old != 0]
            assert moved.mean() > 0.9 or (engine, name) == ("tfmot", "conv1")
    assert sparsity(result.model) == sparsity(result.control) == pytest.approx(0.5, abs=0.01)
    assert result.control_history["loss"] == pytest.approx(result.history["loss"], rel=0.1)

    # The file.
    images = np.concatenate([batch for batch, _ in data.test])[:200]
    exported = kcnn.export_tflite(result.model, tmp_path / "model.tflite")
    expected = answers(result.model, images)
    assert_equal_but_for_rounding(result.model, exported, images)
    agreement = kcnn.TFLiteClassifier(exported.path)(images).argmax(1) == expected.argmax(1)
    assert agreement.mean() >= 0.98
    control = answers(result.control, images)
    assert (control.argmax(1) == expected.argmax(1)).mean() > 0.8


def smallest_net() -> keras.Model:
    layers = [L.MaxPooling2D(8), L.Flatten(), L.Dropout(0.5), L.Dense(10, name="logits")]
    return keras.Sequential([keras.Input((32, 32, 3), name="image"), *layers])


def test_soft_labels_train_and_the_same_batches_give_the_same_model(data):
    images, classes = noise(32), np.random.default_rng(0).integers(0, 10, 32)
    labels = np.eye(10, dtype=np.float32)[classes] * 0.9 + 0.01
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16, drop_remainder=True)
    soft = replace(data, train=batches, num_train=32, steps_per_epoch=2)
    model = smallest_net()
    first, second = (quantize_aware(model, soft, epochs=1, control=False) for _ in range(2))
    assert first.control is first.control_history is None
    assert first.history == second.history
    assert first.history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    np.testing.assert_equal(first.model.get_weights(), second.model.get_weights())


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ({"engine": "kears"}, "Unknown engine 'kears'. Did you mean 'keras'?"),
        ({"epochs": 0}, "epochs must be an integer of at least 1. Received: epochs=0"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive, finite number. Received"),
    ],
)
def test_bad_arguments(arguments, reason, data):
    check_quantize_aware(smallest_net(), data, control=False)
    for function in (quantize_aware, check_quantize_aware):
        with pytest.raises(ValueError, match=reason):
            function(smallest_net(), data, **arguments)


def test_tfmot_names_what_it_does_not_know(data):
    model = kcnn.models.build("lenet5")
    check_quantize_aware(model, data)
    for function in (quantize_aware, check_quantize_aware):
        with pytest.raises(ValueError, match="'c1_slope' .Rescaling. .*by TF-MOT.*\"keras\""):
            function(model, data, engine="tfmot")


def test_a_training_that_diverges_is_an_error(data):
    with pytest.raises(RuntimeError, match="training diverged. Lower the learning rate"):
        quantize_aware(smallest_net(), data, epochs=1, learning_rate=1e38, control=False)


class Seen(keras.callbacks.Callback):
    """Remember the epochs, and stop after the second."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, sorted(logs)))
        self.model.stop_training = epoch == 1


def test_callbacks_see_the_training_for_int8_and_may_end_it(data):
    seen, model = Seen(), kcnn.models.build("lenet5")
    result = quantize_aware(model, data, epochs=3, callbacks=[seen])
    assert [epoch for epoch, _ in seen.epochs] == [0, 1]
    assert {"loss", "accuracy", "val_loss"} <= {*seen.epochs[0][1]}
    assert len(result.history["loss"]) == 2 and len(result.control_history["loss"]) == 3


def test_callbacks_see_the_training_of_a_slim_model(data):
    model = kcnn.models.build("lenet5")
    for teacher in (None, model):
        seen = Seen()
        thin = kcnn.slim(model, macs=0.8).model
        result = recover(thin, data, teacher=teacher, epochs=3, callbacks=[seen])
        assert [epoch for epoch, _ in seen.epochs] == [0, 1]
        assert len(result.history["loss"]) == 2
