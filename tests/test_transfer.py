"""Transfer learning: the body of any model, a new head, and only what may train does."""

import keras
import numpy as np
import pytest

from kcnn import models
from kcnn.explain import grad_cam
from kcnn.models import fine_tune_from, transfer

layers = keras.layers


def pixels(shape=(8, 16, 16, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


def users_own():
    """A softmax head with dropout before it, and a batch norm in the body."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3), name="photo"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(4, 3, name="conv1"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(5, 3, activation="relu", name="conv2"),
            layers.GlobalAveragePooling2D(name="features"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(4, activation="softmax", name="answer"),
        ]
    )


def logits_apart():
    """Functional, and the softmax a layer of its own."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(5, 3, strides=2, name="conv")(layers.Rescaling(1 / 255)(image))
    x = layers.Add(name="sum")([x, layers.ReLU()(x)])
    x = layers.Flatten(name="features")(x)
    x = layers.Dense(4, name="answer")(x)
    return keras.Model(image, layers.Activation("softmax")(x))


def nested():
    """A body that is itself a model, as Keras's own guide to transfer learning builds it."""
    image = keras.Input((16, 16, 3))
    body = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, name="conv"),
            keras.Sequential([layers.BatchNormalization(name="norm"), layers.ReLU(name="relu")]),
        ],
        name="body",
    )
    x = body(layers.Rescaling(1 / 255)(image), training=False)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, layers.Dense(4)(x))


def class_maps():
    """A map of each class and global pooling for a head, as in Network in Network."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, name="features"),
            layers.Conv2D(4, 1, name="maps"),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ]
    )


def without_top():
    """All body, as `include_top=False` gives it."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, activation="relu", name="features"),
        ]
    )


BASES = {each.__name__: each for each in (users_own, logits_apart, nested, class_maps, without_top)}

every_base = pytest.mark.parametrize("build", BASES.values(), ids=BASES)


def set_moving_averages(model):
    """Batch norms that are not at their initial state."""
    keras.utils.set_random_seed(0)
    model.set_weights([np.abs(w + 0.1 * np.random.randn(*w.shape)) for w in model.get_weights()])
    return model


def weights(model):
    return [weight.copy() for weight in model.get_weights()]


def same(first, second):
    return all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


def step(model, learning_rate=0.1):
    model.compile(
        keras.optimizers.SGD(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(pixels(), np.arange(8, dtype="int32") % 3, batch_size=8, epochs=2, verbose=0)


@every_base
def test_the_body_answers_as_the_bases(build):
    base = set_moving_averages(build())
    model = transfer(base, 3)
    expected = keras.Model(base.inputs[0], base.get_layer("features").output)(pixels())
    received = keras.Model(model.inputs[0], model.get_layer("features").output)(pixels())
    np.testing.assert_allclose(received, expected, rtol=1e-6)
    head = model.layers[-1]
    assert head.name == "logits" and head.activation is keras.activations.linear
    assert model.output_shape == (None, 3)
    # The head sees the features, averaged over their pixels where they are maps.
    features = np.reshape(expected, (8, -1, expected.shape[-1])).mean(axis=1)
    answer = features @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model(pixels()), answer, rtol=1e-4, atol=1e-5)


@every_base
def test_only_the_head_trains_and_the_base_stays_as_it_was(build):
    base = set_moving_averages(build())
    base.trainable = False
    before = weights(base)
    model = transfer(base, 3)
    body, head = weights(model)[:-2], weights(model)[-2:]
    step(model)
    assert same(weights(model)[:-2], body)  # moving averages too
    assert not any(np.array_equal(*pair) for pair in zip(weights(model)[-2:], head, strict=True))
    fine_tune_from(model, model.layers[0].name)
    step(model)
    assert not same(weights(model)[:-2], body)
    assert same(weights(base), before) and not base.trainable


def test_layers_train_from_the_named_one_on():
    model = transfer(set_moving_averages(users_own()), 3, trainable_from="conv2")
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["conv2", "logits"]
    before = {layer.name: weights(layer) for layer in model.layers}
    step(model)
    moved = {layer.name for layer in model.layers if not same(weights(layer), before[layer.name])}
    assert moved == {"conv2", "logits"}
    fine_tune_from(model, "norm")
    step(model)
    moved = {layer.name for layer in model.layers if not same(weights(layer), before[layer.name])}
    assert moved == {"norm", "conv2", "logits"}


def test_all_layers_lie_side_by_side():
    for build in BASES.values():
        model = transfer(build(), 3)
        assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert grad_cam(transfer(nested(), 3), pixels()).layer == "relu"


@pytest.mark.parametrize("name", ["simple_cnn", "nin", "vgg11", "resnet8"])
def test_kcnns_own_models(name, tmp_path):
    small = {"simple_cnn": {}, "vgg11": {"width": 4}, "resnet8": {"width": 2}, "nin": {"width": 6}}
    shape = (32, 32, 3)
    base = models.build(name, input_shape=shape, **small[name])
    model = transfer(base, 4, dropout=0.2)
    assert [layer.name for layer in model.layers[-2:]] == ["head_dropout", "logits"]
    assert sum(isinstance(layer, layers.Dropout) for layer in model.layers[-4:]) == 1
    again = transfer(model, 6, trainable_from="image")  # from a model that was itself transferred
    assert again.output_shape == (None, 6)
    file = models.save(again, tmp_path / "model.keras")
    np.testing.assert_allclose(
        models.load(file)(pixels((2, *shape))), again(pixels((2, *shape))), rtol=1e-5, atol=1e-5
    )


def test_features_can_be_named():
    base = users_own()
    model = transfer(base, 3, features="relu")
    assert [layer.name for layer in model.layers[-3:]] == ["relu", "head_pool", "logits"]


class Hidden(keras.Model):
    def call(self, inputs):
        return inputs


def headless():
    image = keras.Input((16, 16, 3))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1)(image))
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: transfer(users_own(), 3, trainable_from="conv3"), "Did you mean 'conv2'"),
        (lambda: transfer(users_own(), 3, features="featured"), "Did you mean 'features'"),
        (lambda: fine_tune_from(users_own(), "anser"), "Did you mean 'answer'"),
        (lambda: transfer(users_own(), 1), "num_classes must be"),
        (lambda: transfer(users_own(), 3, dropout=1.0), "dropout must be"),
        (lambda: transfer(headless(), 3), "ends in 'norm', not in a dense layer"),
        (lambda: transfer(Hidden(), 3), "must be a built graph"),
        (lambda: transfer(keras.Sequential([layers.Dense(2)]), 3), "must be a built graph"),
    ],
)
def test_what_cannot_be_done_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
