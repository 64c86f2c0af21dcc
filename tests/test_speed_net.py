"""What speedrun94 is made of, each part against the paper's arithmetic in NumPy."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn
from kcnn import recipe_files
from kcnn.callbacks import Lookahead
from kcnn.data.augment import augmentation
from kcnn.data.examples import Examples
from kcnn.data.opened import Opened
from kcnn.models.whitening import whiten
from kcnn.pipeline import run
from kcnn.pipeline.training_setup import callbacks_for
from kcnn.training import make_optimizer, schedules

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype("uint8")


def test_parameters_of_the_three_networks():
    trainable = {
        (64, 2): 569_016,
        (64, 4): 1_971_640,
        (128, 3): 4_604_728,
    }
    for (width, multiple), expected in trainable.items():
        model = kcnn.models.speed_net(width=width, multiple=multiple)
        assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == expected


def test_the_convolutions_hand_on_their_inputs():
    model = kcnn.models.speed_net(width=32, multiple=2)
    for name, passed in (("group1_conv1", 24), ("group1_conv2", 32), ("group2_conv1", 32)):
        layer = model.get_layer(name)
        inputs = np.random.default_rng(1).normal(size=(1, 6, 6, layer.kernel.shape[2]))
        outputs = np.array(layer(inputs.astype("float32")))
        np.testing.assert_allclose(outputs[..., :passed], inputs[..., :passed], atol=1e-6)
        if passed < outputs.shape[-1]:
            assert np.abs(outputs[..., passed:]).min(axis=(0, 1, 2)).max() > 0


def test_whitened_patches_have_no_correlation_and_unit_variance():
    # Smooth images, for noise has nothing to whiten.
    smooth = np.cumsum(np.random.default_rng(0).normal(size=(200, 16, 16, 3)), axis=1)
    images = np.clip(128 + 30 * smooth, 0, 255).astype("uint8")
    model = kcnn.models.speed_net((16, 16, 3), width=8)
    whiten(model, images)

    layer = model.get_layer("whiten")
    outputs = np.array(keras.Model(model.inputs[0], layer.output)(images)) - np.array(layer.bias)
    assert outputs.shape[-1] == 24
    np.testing.assert_allclose(outputs[..., :12], -outputs[..., 12:], atol=1e-3)
    moments = outputs[..., :12].reshape(-1, 12)
    moments = moments.T @ moments / len(moments)
    # Along directions with no variance at all the small constant is what remains.
    np.testing.assert_allclose(moments - np.diag(np.diag(moments)), 0, atol=0.01)
    assert np.all(np.diag(moments) < 1.001) and np.diag(moments)[-6:].min() > 0.97


def test_only_the_bias_of_a_whitened_layer_is_trained(tmp_path):
    model = kcnn.models.speed_net(width=8)
    whiten(model, PIXELS)
    layer = model.get_layer("whiten")
    kernel, bias = np.array(layer.kernel), np.array(layer.bias)
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(PIXELS, np.arange(40) % 10, batch_size=20, verbose=0)
    np.testing.assert_array_equal(layer.kernel, kernel)
    assert np.any(np.array(layer.bias) != bias)
    loaded = keras.models.load_model(kcnn.models.save(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(loaded(PIXELS), model(PIXELS), atol=1e-5)


def test_what_cannot_be_whitened_is_named():
    with pytest.raises(ValueError, match="a convolution called 'whiten'.*model='simple_cnn'"):
        whiten(kcnn.models.simple_cnn(), PIXELS)
    with pytest.raises(ValueError, match="some thousand images. Received: 0"):
        whiten(kcnn.models.speed_net(width=8), PIXELS[:0])


def test_triangle_is_two_lines():
    rate = schedules.triangle(1.5, epochs=10, steps_per_epoch=47)
    steps = np.arange(471)
    expected = 1.5 * np.interp(steps, [0, round(0.23 * 470), 470], [0.2, 1, 0.07])
    np.testing.assert_allclose([float(rate(step)) for step in steps], expected, atol=1e-5)
    assert keras.saving.serialize_keras_object(rate)["class_name"] == "PolynomialDecay"
    with pytest.raises(ValueError, match="2 steps cannot rise for 10%.*epochs=1"):
        schedules.triangle(1.5, epochs=1, steps_per_epoch=2, rise=0.1)


def test_offsets_of_batch_norms_learn_faster_and_decay_as_the_others():
    """And momentum is PyTorch's, which shows when the rate moves."""
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(name="bn")]
    )
    random = np.random.default_rng(0)
    start = [random.normal(size=variable.shape) for variable in model.trainable_variables]
    gradients = [
        [random.normal(size=value.shape).astype("float32") for value in start] for _ in range(3)
    ]
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    rates = (0.1, 0.3, 0.05)
    optimizer = make_optimizer(
        "sgd",
        keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], list(rates)),
        momentum=0.85,
        weight_decay=0.01,
        decay="coupled",
        decay_everything=True,
        norm_bias_rate=64.0,
    )
    optimizer.build(model.trainable_variables)
    for step in gradients:
        optimizer.apply(step, model.trainable_variables)

    for index, variable in enumerate(model.trainable_variables):
        factor = 64.0 if variable.path.endswith("bn/beta") else 1.0
        value, velocity = start[index].copy(), 0.0
        for rate, step in zip(rates, gradients, strict=True):
            gradient = factor * step[index] + 0.01 * value
            velocity = 0.85 * velocity + gradient
            value = value - rate * (gradient + 0.85 * velocity)
        np.testing.assert_allclose(variable, value, rtol=1e-4)


def test_only_sgd_knows_a_rate_for_offsets():
    with pytest.raises(
        ValueError, match="norm_bias_rate belongs to 'sgd' and 'muon'. Received: .*'adam'"
    ):
        make_optimizer("adam", norm_bias_rate=64.0)
    with pytest.raises(ValueError, match="norm_bias_rate must be above 0. Received: 0"):
        make_optimizer("sgd", norm_bias_rate=0)


@pytest.mark.parametrize("steps", [7, 8])
def test_lookahead_moves_the_weights_as_the_paper_says(steps):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[1.0], [-1.0]])
    model.compile("sgd")
    callback = Lookahead(steps=steps, every=2, strength=0.9)
    callback.set_model(model)
    callback.on_train_begin()
    slow = fast = np.array([[1.0], [-1.0]])
    for step in range(1, steps + 1):
        fast = fast + 1.0  # what an optimizer does
        model.layers[0].kernel.assign_add([[1.0], [1.0]])
        if step % 2 == 0:
            share = 0.9 * (step / steps) ** 3
            slow = fast = share * slow + (1 - share) * fast
        if step == steps:
            fast = slow
        callback.on_epoch_begin(step) if step == 4 else None
        callback.on_train_batch_end(step - 4 if step >= 4 else step - 1)
        np.testing.assert_allclose(model.layers[0].kernel, fast, atol=1e-5)


def test_lookahead_knows_executions_of_several_steps():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[1.0], [-1.0]])
    callback = Lookahead(steps=8, every=4)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for last in (2, 5, 8):
        model.layers[0].kernel.assign_add([[1.0], [1.0]])
        callback.on_train_batch_end(last)
    # After the sixth step, part of the way back from 2 more; after the last one, all of it.
    first = 3 - 2 * callback.share(6)
    second = (first + 1) * (1 - callback.share(9)) + first * callback.share(9)
    np.testing.assert_allclose(model.layers[0].kernel, [[second], [second - 2]], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"), [({"every": 0}, "every=0"), ({"strength": 2}, "2")]
)
def test_lookahead_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        Lookahead(steps=10, **options)


def test_alternating_mirrors_by_turns_and_reflects_the_border():
    turned = np.array([True, False] * 20)
    augment = augmentation("alternating")
    images = augment(
        tf.constant(PIXELS), tf.constant([3, 4], tf.int64), tf.constant(turned)
    ).numpy()
    padded = np.pad(PIXELS, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    shifts = set()
    for image, source, mirror in zip(images, padded, turned, strict=True):
        image = image[:, ::-1] if mirror else image
        found = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(image, source[top : top + 32, left : left + 32])
        ]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 10


class TwoHalves:
    """Images whose left half has the value 2 i, and whose right half 2 i + 1."""

    mirror = True

    def open(self, data_dir):
        values = np.repeat(2 * np.arange(100)[:, None] + [0, 1], 4, axis=1)
        images = np.broadcast_to(values[:, None, :, None], (100, 8, 8, 3)).astype("uint8")
        examples = Examples.from_arrays(images, np.arange(100) % 2)
        return Opened(examples, None, ("even", "odd"))


def test_every_image_shows_its_other_side_in_the_next_epoch():
    data = kcnn.data.load(TwoHalves(), batch_size=4, augment="alternating")
    epochs = [_mirrored(data.train) for _ in range(4)]
    seen = [image for image in epochs[0] if all(image in epoch for epoch in epochs[1:])]
    assert len(seen) > 30
    for image in seen:
        first, second, third, fourth = (epoch[image] for epoch in epochs)
        assert first == third != second == fourth
    assert 0.2 < np.mean(list(epochs[0].values())) < 0.8


def _mirrored(dataset):
    """Return which images of an epoch are mirrored."""
    found = {}
    for images, _ in dataset.as_numpy_iterator():
        for image in images:
            left, right = int(image[4, 1, 0]), int(image[4, 6, 0])
            found[min(left, right) // 2] = left > right
    return found


class Probe(keras.callbacks.Callback):
    """Looks at what is being trained."""

    def on_train_batch_end(self, batch, logs=None):
        layers = self.model.layers
        self.fast = all(
            "convolution_op" in vars(each)
            for each in layers
            if isinstance(each, keras.layers.Conv2D)
        )
        self.fused = any(type(each) is kcnn.layers.BatchNormalization for each in layers)


def test_train_makes_stock_layers_fast():
    data = kcnn.data.load("digits", limit=80, batch_size=20, augment="none")
    model = keras.models.clone_model(kcnn.models.resnet8(width=2))
    assert not any(type(each) is kcnn.layers.BatchNormalization for each in model.layers)
    probe = Probe()
    kcnn.train(model, data, epochs=1, callbacks=[probe])
    assert probe.fast and probe.fused


def test_the_recipe_does_all_that_it_says(tmp_path):
    recipe = recipe_files.load("speedrun94").content
    recipe = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, name="digits", batch_size=40, limit=400),
        model=dataclasses.replace(recipe.model, options={"width": 8}),
        train=dataclasses.replace(recipe.train, epochs=2),
        explain=None,
    )
    report = run(recipe, "speedrun94", tmp_path / "run")
    assert [receipt.name for receipt in report.receipts] == [
        "float",
        "int8",
        "float, TTA flip_shift",
    ]

    # Whitened by training images, and frozen: the filters come in pairs, and no step moved them.
    model = kcnn.models.load(tmp_path / "run" / "model.keras")
    again = kcnn.models.speed_net(width=8)
    data = kcnn.data.load("digits", batch_size=40, limit=400, validation=0.016)
    whiten(again, np.concatenate([images for images, _ in data.calibration.as_numpy_iterator()]))
    kernel = np.array(model.get_layer("whiten").kernel)
    np.testing.assert_array_equal(kernel[..., :12], -kernel[..., 12:])
    np.testing.assert_allclose(np.abs(kernel), np.abs(again.get_layer("whiten").kernel), rtol=0.02)
    kinds = {type(each) for each in callbacks_for(recipe.train, data, None)}
    assert Lookahead in kinds
