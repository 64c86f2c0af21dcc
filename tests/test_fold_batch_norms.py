"""Batch norms folded into the layers before them: the same function, fewer layers."""

import keras
import numpy as np
import pytest
from keras import layers
from narrow_models import build_narrow

from kcnn.export import fold_normalization
from kcnn.models import names
from kcnn.models.fold_batch_norms import fold_batch_norms

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)


def stirred(model):
    """Return `model` whose batch norms have seen something: fresh ones hardly change a thing."""
    random = np.random.default_rng(1)
    for norm in norms_of(model):
        norm.set_weights([random.uniform(0.5, 2.0, w.shape) for w in norm.get_weights()])
    return model


def norms_of(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def answers(model, images=IMAGES):
    return model(images, training=False).numpy()


@pytest.mark.parametrize("name", names())
def test_every_model_answers_the_same(name):
    model = stirred(build_narrow(name))
    expected = answers(model)
    folded = fold_batch_norms(model)
    np.testing.assert_allclose(
        answers(folded), expected, rtol=1e-4, atol=2e-4 * np.abs(expected).max()
    )
    np.testing.assert_array_equal(answers(model), expected)  # it is not changed
    behind_something_else = [
        norm
        for norm in norms_of(model)
        if not isinstance(norm.input._keras_history.operation, (layers.Conv2D, layers.Dense))
    ]
    assert len(norms_of(folded)) == len(behind_something_else)
    if not norms_of(model):
        assert folded is model


def image(size=8):
    return keras.Input((size, size, 3))


def twice_read():
    inputs = image()
    read = layers.Conv2D(4, 3, padding="same")(inputs)
    return keras.Model(inputs, layers.Add()([read, layers.BatchNormalization()(read)]))


def twice_called():
    inputs, norm = image(), layers.BatchNormalization()
    branches = [norm(layers.Conv2D(4, 3)(inputs)) for _ in range(2)]
    return keras.Model(inputs, layers.Concatenate()(branches))


def of_two_policies():
    return chain(layers.Conv2D(4, 3, dtype="mixed_bfloat16"), bn(dtype="float32"))


def adapted():
    """More weights than kernel and bias."""
    model = chain(layers.Dense(4), bn())
    model.layers[0].enable_lora(2)
    return model


def chain(*following):
    return keras.Sequential([image(), *following])


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: chain(layers.Conv2D(4, 3, activation="relu"), bn()), id="activation"),
        pytest.param(lambda: chain(layers.Conv2D(6, 3), bn(axis=1)), id="another axis"),
        pytest.param(lambda: chain(layers.MaxPooling2D(), bn()), id="pooling"),
        pytest.param(twice_read, id="read twice"),
        pytest.param(twice_called, id="called twice"),
        pytest.param(of_two_policies, id="two policies"),
        pytest.param(adapted, id="low-rank adapters"),
    ],
)
def test_what_another_layer_cannot_do_stays(model):
    model = model()
    assert fold_batch_norms(model) is model


def bn(**options):
    return layers.BatchNormalization(**options)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: chain(layers.Conv2D(4, 3, groups=1, use_bias=False), bn()), id="conv"),
        pytest.param(lambda: chain(layers.Conv2D(6, 3, groups=3, strides=2), bn()), id="groups"),
        pytest.param(lambda: chain(layers.DepthwiseConv2D(3), bn()), id="depthwise"),
        pytest.param(
            lambda: chain(layers.DepthwiseConv2D(3, depth_multiplier=2), bn(scale=False)),
            id="depth multiplier, no scale",
        ),
        pytest.param(lambda: chain(layers.Dense(5), bn(center=False)), id="dense, no center"),
        pytest.param(
            lambda: chain(layers.Conv2D(4, 3, padding="same"), bn(epsilon=0.1), layers.ReLU()),
            id="padding, epsilon",
        ),
    ],
)
def test_what_a_layer_can_do(model):
    model = stirred(model())
    folded = fold_batch_norms(model)
    assert not norms_of(folded)
    images = IMAGES[:, :8, :8] / 255
    expected = answers(model, images)
    np.testing.assert_allclose(answers(folded, images), expected, rtol=1e-4, atol=1e-5)
    both = fold_batch_norms(fold_normalization(chain(layers.Rescaling(1 / 255), *model.layers)))
    folded = answers(both, IMAGES[:, :8, :8])
    np.testing.assert_allclose(folded, expected, rtol=1e-4, atol=1e-5)


def test_operations_a_lambda_and_models_within_stay_what_they_are():
    inner = keras.Sequential([image(), layers.Normalization(name="inner"), bn()])
    inner.layers[0].adapt(IMAGES[:, :8, :8])
    inputs = image()
    read = layers.ReLU()(bn()(layers.Conv2D(3, 3, padding="same")(inputs / 255.0)))
    summed = layers.Lambda(lambda image: image * 2)(read + inner(inputs))
    model = stirred(keras.Model(inputs, summed))
    expected = answers(model, IMAGES[:, :8, :8])
    for fold, fewer in ((fold_batch_norms, 1), (fold_normalization, 0)):
        folded = fold(model)
        assert len(folded.layers) == len(model.layers) - fewer
        received = answers(folded, IMAGES[:, :8, :8])
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)
