"""Heat maps of models of every make and head: exactly CAM, and the model is left as it was."""

import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import (
    LAYERS,
    assert_rectified,
    assert_same_map,
    gap_model,
    images,
    output_of,
    signed_cam,
    snapshot,
)

from kcnn.explain import METHODS, grad_cam
from kcnn.explain.methods import Method

SIZE = 8
CHOSEN, OTHER = [0, 3, 4, 3], [1, 2, 0, 4]


def functional(plain):
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, chain(plain.layers, image))


def input_in_a_list(plain):
    return keras.Model(plain.inputs, plain.outputs[0])


def input_in_a_dict(plain):
    image = plain.inputs[0]
    return keras.Model({image.name: image}, plain.outputs[0])


def chain(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def lazily_built(plain):
    model = keras.Sequential(
        [type(layer).from_config(layer.get_config()) for layer in plain.layers]
    )
    model(images(3, SIZE).astype("float32"))
    model.set_weights(plain.get_weights())
    return model


def backbone(plain):
    """A transfer model: the spatial features are a model, the head is not."""
    image = keras.Input((SIZE, SIZE, 3))
    body = keras.Model(image, chain(plain.layers[:4], image), name="backbone")
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), body, *plain.layers[4:]])


def pooled_backbone(plain):
    """The transfer model whose features leave the backbone without their space."""
    image, outer = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    body = keras.Model(image, chain(plain.layers[:5], image), name="backbone")
    return keras.Model(outer, plain.layers[5](LAYERS.Dropout(0.5)(body(outer, training=False))))


def three_deep(plain):
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *plain.layers[1:5]], name="inner")
    image, outer = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    middle = keras.Model(image, inner(plain.layers[0](image)), name="middle")
    return keras.Model(outer, plain.layers[5](middle(outer)))


def classifier_in_a_model(plain):
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), plain, LAYERS.Softmax()])


def reloaded(plain, folder):
    pooled_backbone(plain).save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def pooled_by_operations(plain):
    image = keras.Input((SIZE, SIZE, 3))
    x = chain(plain.layers[:4], image)
    total = keras.ops.sum(x, axis=(1, 2))
    return keras.Model(image, plain.layers[5](total / (SIZE * SIZE)))


def frozen_with_integer_input(plain):
    image = x = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    for layer in plain.layers:
        x = type(layer).from_config(layer.get_config() | {"trainable": False})(x)
    frozen = keras.Model(image, x)
    frozen.set_weights(plain.get_weights())
    return frozen


class Block(LAYERS.Layer):
    """A user's own layer, made of layers and of TensorFlow's operations."""

    def __init__(self, layers):
        super().__init__(name="block")
        self.parts = layers[:3]

    def call(self, x):
        return tf.nn.relu(chain(self.parts, x))


def block_of_ones_own(plain):
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, chain([Block(plain.layers), *plain.layers[4:]], image))


class Classifier(keras.Model):
    """A user's own class of model."""

    def __init__(self, layers):
        super().__init__()
        self.body, self.head = layers[:4], layers[5]

    def call(self, x):
        x = chain(self.body, x)
        return self.head(tf.reduce_mean(x, (1, 2)))


def subclassed(plain):
    model = Classifier(plain.layers)
    model(images(1, SIZE).astype("float32"))
    return model


KINDS = {
    "Sequential": lambda plain: plain,
    "Sequential lazily built": lazily_built,
    "functional, of layers shared with another model": functional,
    "functional with a list as input": input_in_a_list,
    "functional with a dict as input": input_in_a_dict,
    "nested backbone": backbone,
    "nested backbone that pools": pooled_backbone,
    "three deep": three_deep,
    "classifier in a model": classifier_in_a_model,
    "pooled by operations": pooled_by_operations,
    "frozen, with integer input": frozen_with_integer_input,
    "a block of one's own": block_of_ones_own,
    "a class of one's own": subclassed,
}
LAYER_NAMES = {
    "nested backbone": "backbone/relu",
    "nested backbone that pools": "backbone/relu",
    "three deep": "middle/inner/relu",
    "classifier in a model": "plain/relu",
    "a block of one's own": "block",
}


def plain_model():
    model = gap_model(size=SIZE)
    model.name = "plain"
    return model


def check(model, expected, layer="relu"):
    """Expect one signed map from all methods that are exact, and its completeness."""
    batch, before = images(size=SIZE), snapshot(model)
    pairs = np.stack([CHOSEN, OTHER], axis=1)
    for method in ("gradcam", "hirescam", "cam"):
        heatmaps = grad_cam(model, batch, CHOSEN, method=method)
        assert (heatmaps.layer, heatmaps.method) == (layer, method)
        assert_rectified(heatmaps.raw, expected(CHOSEN))
        forth, back = (grad_cam(model, batch, p, method=method) for p in (pairs, pairs[:, ::-1]))
        assert_same_map(forth.raw - back.raw, expected(CHOSEN) - expected(OTHER))
    assert snapshot(model) == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_explained_exactly_and_left_alone(kind):
    plain, batch = plain_model(), images(size=SIZE)
    maps = {tuple(c): signed_cam(plain, batch, c) for c in (CHOSEN, OTHER)}
    assert all((m < 0).any() and (m > 0).any() for m in maps.values())
    model = KINDS[kind](plain)
    check(model, lambda chosen: maps[tuple(chosen)], LAYER_NAMES.get(kind, "relu"))


class Unrectified:
    """NumPy, but that no maximum is taken."""

    maximum = staticmethod(lambda maps, _: np.asarray(maps))

    def __getattr__(self, name):
        return getattr(np, name)


def pooled_over_images_too(seen):
    weights = tf.reduce_mean(seen.gradients(), axis=(0, 1, 2), keepdims=True)
    return tf.reduce_sum(weights * seen.features, axis=-1)


GRADCAM = METHODS["gradcam"].maps
WRONG = {"sign": lambda seen: -GRADCAM(seen), "axis": pooled_over_images_too}


@pytest.mark.parametrize("wrong", [*WRONG, "no ReLU"])
def test_grad_cam_with_a_step_of_it_wrong_does_not_pass(monkeypatch, wrong):
    model, batch = plain_model(), images(size=SIZE)
    if wrong in WRONG:
        monkeypatch.setitem(METHODS, "gradcam", Method("", "", WRONG[wrong]))
    else:
        monkeypatch.setattr(sys.modules["kcnn.explain.grad_cam"], "np", Unrectified())
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(model, lambda chosen: signed_cam(model, batch, chosen))


def test_a_reloaded_model_is_explained_exactly(tmp_path):
    plain, batch = plain_model(), images(size=SIZE)
    model = reloaded(plain, tmp_path)
    check(model, lambda chosen: signed_cam(plain, batch, chosen), "backbone/relu")


def test_a_pruned_model_is_explained_exactly():
    model, batch = plain_model(), images(size=SIZE)
    for layer in ("conv", "logits"):
        kernel = model.get_layer(layer).kernel
        values = kernel.numpy()
        kernel.assign(np.where(np.abs(values) < np.quantile(np.abs(values), 0.6), 0, values))
    check(model, lambda chosen: signed_cam(model, batch, chosen))


def test_a_mixed_precision_model_is_explained_exactly():
    policy, body = keras.DTypePolicy("mixed_bfloat16"), plain_model()
    layers = [
        type(layer).from_config(layer.get_config() | {"dtype": policy}) for layer in body.layers
    ]
    squash = LAYERS.Activation("softmax", dtype="float32")
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers, squash])
    model.set_weights(body.get_weights())
    kernel = model.get_layer("logits").kernel
    kernel.assign(kernel.numpy().astype("bfloat16").astype("float32"))  # as it computes with it
    batch = images(size=SIZE)
    before, expected = snapshot(model), signed_cam(model, batch, CHOSEN)
    for method in ("gradcam", "hirescam", "cam"):
        heatmaps = grad_cam(model, batch, CHOSEN, method=method)
        assert heatmaps.layer == "relu"
        assert heatmaps.raw.dtype == heatmaps.score.dtype == np.float32
        assert_rectified(heatmaps.raw, expected)
    assert snapshot(model) == before


HEADS = {
    "logits": lambda: [LAYERS.Dense(5, name="logits")],
    "Dense(softmax)": lambda: [LAYERS.Dense(5, activation="softmax", name="logits")],
    "Softmax layer": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Softmax()],
    "Activation(softmax)": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Activation("softmax")],
    "Dense(sigmoid)": lambda: [LAYERS.Dense(5, activation="sigmoid", name="logits")],
    "Activation(sigmoid)": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Activation("sigmoid")],
    "Dense(tf.nn.softmax)": lambda: [LAYERS.Dense(5, activation=tf.nn.softmax, name="logits")],
    "Activation(log_softmax)": lambda: [
        LAYERS.Dense(5, name="logits"),
        LAYERS.Activation("log_softmax"),
    ],
    "Conv2D of 1x1": lambda: [
        LAYERS.Reshape((1, 1, 6)),
        LAYERS.Conv2D(5, 1, name="logits"),
        LAYERS.Flatten(),
        LAYERS.Softmax(),
    ],
}


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_explained_by_its_logits(head):
    model, batch = gap_model(*HEADS[head](), size=SIZE), images(size=SIZE)
    layer = model.get_layer("logits")
    layer.kernel.assign(40 * layer.kernel)  # saturated: squashed scores would have no gradients
    kernel, bias = (weight.numpy().astype("float64") for weight in layer.weights)
    features = output_of(model, "relu", batch)
    maps = np.einsum("nhwk,kc->nhwc", features, kernel.reshape(6, 5)) / SIZE**2
    check(model, lambda chosen: maps[range(4), :, :, chosen])
    heatmaps = grad_cam(model, batch)
    expected = maps.sum(axis=(1, 2)) + bias
    np.testing.assert_array_equal(heatmaps.class_index, expected.argmax(axis=-1))
    np.testing.assert_allclose(heatmaps.score, expected.max(axis=-1), rtol=1e-5, atol=1e-4)


def test_one_sigmoid_unit_is_explained_by_its_logit():
    head = LAYERS.Dense(1, activation="sigmoid", name="logits")
    model, batch = gap_model(head, size=SIZE), images(size=SIZE)
    head.kernel.assign(100 * head.kernel)
    expected = signed_cam(model, batch, [0] * 4)
    assert (expected > 0).any()
    heatmaps = grad_cam(model, batch, 1)
    assert_rectified(heatmaps.raw, expected)
    np.testing.assert_allclose(
        heatmaps.score, expected.sum(axis=(1, 2)) + head.bias.numpy(), rtol=1e-4
    )


def test_a_single_logit_of_zero_is_no_probability():
    model = gap_model(LAYERS.Dense(1, name="logits"))
    model.get_layer("logits").set_weights([np.zeros((6, 1)), np.zeros(1)])
    assert grad_cam(model, images()).is_empty.all()


@pytest.mark.parametrize(
    "squash",
    [
        lambda x: keras.ops.exp(x) / keras.ops.sum(keras.ops.exp(x), axis=-1, keepdims=True),
        keras.ops.log_softmax,
    ],
)
def test_probabilities_whose_logits_are_out_of_reach_are_refused(squash):
    plain = gap_model()
    model = keras.Model(plain.inputs, squash(plain.outputs[0]))
    with pytest.raises(ValueError, match="needs logits"):
        grad_cam(model, images())


def test_threads_may_explain_and_predict_with_one_model_at_once():
    model, batch = plain_model(), images(size=SIZE)
    expected, before = grad_cam(model, batch, CHOSEN).raw, snapshot(model)

    def work(n):
        return grad_cam(model, batch, CHOSEN).raw if n % 2 else model(batch[:1], training=False)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(12)))
    for raw in results[1::2]:
        np.testing.assert_array_equal(raw, expected)
    assert snapshot(model) == before


def test_a_model_that_fails_is_left_alone():
    model = gap_model(LAYERS.Dense(5, activation=tf.nn.softmax), size=SIZE)
    model.layers[-1].kernel.assign(model.layers[-1].kernel * np.nan)
    before = snapshot(model)
    with pytest.raises(ValueError, match="not finite"):
        grad_cam(model, images(size=SIZE))
    assert snapshot(model) == before


def test_an_explained_model_still_saves_trains_and_predicts_the_same(tmp_path):
    plain, batch = plain_model(), images(size=SIZE)
    model = pooled_backbone(plain)
    model.get_layer("backbone").trainable = False
    model.compile("sgd", "mse")
    config, prediction = model.get_config(), model(batch, training=False).numpy()
    for method in METHODS:
        grad_cam(model, batch, method=method)
    assert model.get_config() == config and model.compiled
    np.testing.assert_array_equal(model(batch, training=False).numpy(), prediction)
    model.save(tmp_path / "after.keras")
    loaded = keras.models.load_model(tmp_path / "after.keras")
    np.testing.assert_array_equal(loaded(batch, training=False).numpy(), prediction)
    model.fit(batch, np.zeros((4, 5)), verbose=0)
    np.testing.assert_array_equal(grad_cam(loaded, batch).score, prediction.max(axis=-1))
