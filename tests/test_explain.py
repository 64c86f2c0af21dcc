"""Grad-CAM against exact references: CAM, float64 finite differences, and what must not change."""

import keras
import numpy as np
import pytest

import kcnn.models
from kcnn.explain import grad_cam
from kcnn.explain.layers import feature_map

LAYERS = keras.layers


def images(count=4, size=12, seed=0):
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")


def randomise(model, seed=0):
    """Give every float weight, also biases and moving statistics, a value that is not special."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        scale = 1 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.5
        values = rng.normal(0, scale, weight.shape)
        positive = "variance" in weight.name or "gamma" in weight.name
        weight.assign(np.abs(values) + 0.5 if positive else values)
    return model


def stem():
    return [
        LAYERS.Rescaling(1 / 127.5, offset=-1, name="rescale"),
        LAYERS.Conv2D(6, 3, padding="same", use_bias=False, name="conv"),
        LAYERS.BatchNormalization(name="bn"),
        LAYERS.ReLU(name="relu"),
    ]


def gap_model(*head, classes=5):
    head = head or (LAYERS.Dense(classes, name="logits"),)
    body = [keras.Input((12, 12, 3)), *stem(), LAYERS.GlobalAveragePooling2D(), *head]
    return randomise(keras.Sequential(body))


def flatten_model():
    head = [
        LAYERS.MaxPooling2D(),
        LAYERS.SpatialDropout2D(0.5),
        LAYERS.Flatten(name="flatten"),
        LAYERS.Dense(7, activation="relu", name="hidden"),
        LAYERS.Dropout(0.5),
        LAYERS.Dense(4, name="logits"),
    ]
    return randomise(keras.Sequential([keras.Input((6, 6, 3)), *stem(), *head]))


def output_of(model, layer, batch):
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    return part(batch.astype("float32"), training=False).numpy().astype("float64")


def signed_cam(model, batch, class_index, layer="relu", head="logits"):
    """CAM before its ReLU, in float64: sum over k of w[k, class] A[k], over the map's size."""
    features = output_of(model, layer, batch)
    kernel = model.get_layer(head).kernel.numpy().astype("float64")
    maps = np.einsum("nhwk,kn->nhw", features, kernel[:, class_index])
    return maps / np.prod(features.shape[1:3])


def assert_same_map(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_on_a_pooling_head_it_is_cam():
    model, batch = gap_model(), images()
    chosen = np.array([0, 3, 4, 3])
    expected = signed_cam(model, batch, chosen)
    assert (expected < 0).any() and (expected > 0).any()
    heatmaps = grad_cam(model, batch, chosen)
    assert_same_map(heatmaps.raw, np.maximum(expected, 0))
    logits = model(batch, training=False).numpy()
    np.testing.assert_allclose(heatmaps.score, logits[range(4), chosen], rtol=1e-5)
    assert heatmaps.layer == "relu" and heatmaps.raw.dtype == np.float32


def test_evidence_for_less_evidence_against_is_the_logit():
    model, batch = gap_model(classes=2), images()
    kernel, bias = model.get_layer("logits").get_weights()
    kernel[:, 0] = np.linspace(1, -1, len(kernel))
    kernel[:, 1] = -kernel[:, 0]  # the second class is the first's opposite
    model.get_layer("logits").set_weights([kernel, bias])
    evidence, against = grad_cam(model, batch, 0), grad_cam(model, batch, 1)
    total = (evidence.raw - against.raw).sum(axis=(1, 2)) + bias[0]
    assert evidence.raw.any() and against.raw.any()
    np.testing.assert_allclose(total, evidence.score, rtol=1e-4, atol=1e-5)


def test_flatten_head_against_finite_differences_in_float64():
    model, batch = flatten_model(), images(3, size=6)
    w1, b1 = (w.astype("float64") for w in model.get_layer("hidden").get_weights())
    w2, b2 = (w.astype("float64") for w in model.get_layer("logits").get_weights())

    def logit(features, index):
        height, width, channels = features.shape
        rectified = np.maximum(features, 0)
        pooled = rectified.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
        return (np.maximum(pooled.ravel() @ w1 + b1, 0) @ w2 + b2)[index]

    # Before the ReLU, where no two values tie: a max pool has no derivative at tied zeros.
    heatmaps = grad_cam(model, batch, [1, 2, 0], layer="bn")
    step = 1e-6
    for n, features in enumerate(output_of(model, "bn", batch)):
        index = heatmaps.class_index[n]
        gradients = np.zeros_like(features)
        for position in np.ndindex(features.shape):
            nudge = np.zeros_like(features)
            nudge[position] = step
            rise = logit(features + nudge, index) - logit(features - nudge, index)
            gradients[position] = rise / (2 * step)
        expected = np.maximum((features * gradients.mean(axis=(0, 1))).sum(axis=-1), 0)
        assert_same_map(heatmaps.raw[n], expected)
        np.testing.assert_allclose(heatmaps.score[n], logit(features, index), rtol=1e-5)


def test_every_map_is_independent_of_the_batch():
    model, batch = flatten_model(), images(70, size=6)  # more than one chunk
    whole = grad_cam(model, batch)
    assert len(set(whole.class_index)) > 1
    for n in (0, 1, 63, 64, 69):
        alone = grad_cam(model, batch[n])
        assert alone.raw.shape == (1, 6, 6) and alone.class_index == whole.class_index[n]
        assert_same_map(alone.raw[0], whole.raw[n])
        np.testing.assert_allclose(alone.score, whole.score[n], rtol=1e-5)
    named = grad_cam(model, batch, whole.class_index)
    np.testing.assert_array_equal(named.raw, whole.raw)
    np.testing.assert_array_equal(named.score, whole.score)


def test_a_flipped_image_has_the_flipped_map():
    model, batch = gap_model(), images()
    kernel = model.get_layer("conv").kernel
    kernel.assign((kernel.numpy() + kernel.numpy()[:, ::-1]) / 2)
    heatmaps, flipped = grad_cam(model, batch, 2), grad_cam(model, batch[:, :, ::-1], 2)
    assert_same_map(flipped.raw[:, :, ::-1], heatmaps.raw)
    assert not np.allclose(flipped.raw, heatmaps.raw)


def test_adding_a_constant_to_all_logits_changes_no_map():
    model, batch = flatten_model(), images(size=6)
    before = grad_cam(model, batch)
    bias = model.get_layer("logits").bias
    bias.assign(bias + 7.0)
    after = grad_cam(model, batch)
    assert_same_map(after.raw, before.raw)
    np.testing.assert_array_equal(after.class_index, before.class_index)
    np.testing.assert_allclose(after.score, before.score + 7, rtol=1e-4)


HEADS = {
    "Dense(softmax)": lambda: [LAYERS.Dense(5, activation="softmax", name="logits")],
    "Softmax layer": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Softmax()],
    "Activation": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Activation("softmax")],
    "Dense(sigmoid)": lambda: [LAYERS.Dense(5, activation="sigmoid", name="logits")],
    "Activation sigmoid": lambda: [LAYERS.Dense(5, name="logits"), LAYERS.Activation("sigmoid")],
}


@pytest.mark.parametrize("head", HEADS)
def test_a_squashed_head_is_explained_by_its_logits(head):
    model, batch = gap_model(*HEADS[head]()), images()
    # Saturated: the gradients of the squashed scores would vanish.
    model.get_layer("logits").kernel.assign(40 * model.get_layer("logits").kernel)
    expected = np.maximum(signed_cam(model, batch, [1, 2, 3, 4]), 0)
    assert_same_map(grad_cam(model, batch, [1, 2, 3, 4]).raw, expected)


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


def shared_by_another_model(model):
    image = x = keras.Input(model.input_shape[1:])
    for layer in model.layers:
        x = layer(x)  # the layers' second use: their first outputs lie in the first model
    return keras.Model(image, x)


def born_frozen_with_integer_input(model):
    image = x = keras.Input(model.input_shape[1:], dtype="uint8")
    for layer in model.layers:
        x = type(layer).from_config(layer.get_config() | {"trainable": False})(x)
    frozen = keras.Model(image, x)
    frozen.set_weights(model.get_weights())
    return frozen


@pytest.mark.parametrize("dress", [shared_by_another_model, born_frozen_with_integer_input])
def test_the_same_weights_in_other_clothes_give_the_same_map(dress):
    plain, batch = gap_model(), images()
    expected = np.maximum(signed_cam(plain, batch, [1, 1, 1, 1]), 0)
    heatmaps = grad_cam(dress(plain), batch, 1)
    assert heatmaps.layer == "relu"
    assert_same_map(heatmaps.raw, expected)


def test_a_saved_model_gives_the_same_map(tmp_path):
    plain, batch = gap_model(), images()
    plain.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(grad_cam(loaded, batch).raw, grad_cam(plain, batch).raw)


def test_a_layer_used_twice_stands_for_its_last_use():
    relu = LAYERS.ReLU(name="relu")
    image = keras.Input((12, 12, 3))
    x = relu(LAYERS.Conv2D(4, 3)(image))
    x = LAYERS.Dropout(0.5)(relu(LAYERS.Conv2D(5, 3)(x)))
    model = keras.Model(image, LAYERS.Dense(3)(LAYERS.Flatten()(x)))
    name, output = feature_map(model)
    assert name == "relu" and output.shape == (None, 8, 8, 5)


def test_a_map_of_one_pixel_is_passed_over():
    head = [LAYERS.MaxPooling2D(), LAYERS.Conv2D(8, 6, activation="relu", name="one_pixel")]
    body = [keras.Input((12, 12, 3)), *stem(), *head, LAYERS.Flatten(), LAYERS.Dense(3)]
    model = keras.Sequential(body)
    assert model.get_layer("one_pixel").output.shape == (None, 1, 1, 8)
    assert feature_map(model)[0] == "relu"
    with pytest.raises(ValueError, match="'one_pixel' has no spatial output"):
        feature_map(model, "one_pixel")


def test_a_nested_backbone_with_spatial_output_is_a_layer():
    backbone = keras.Sequential([keras.Input((12, 12, 3)), *stem()], name="backbone")
    head = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(5, name="logits")]
    model = randomise(keras.Sequential([keras.Input((12, 12, 3)), backbone, *head]))
    heatmaps = grad_cam(model, images(), 1)
    assert heatmaps.layer == "backbone"
    expected = np.maximum(signed_cam(model, images(), [1] * 4, layer="backbone"), 0)
    assert_same_map(heatmaps.raw, expected)


def test_float_images_and_integer_images_agree():
    model, batch = gap_model(), images()
    whole, real = grad_cam(model, batch, 1), grad_cam(model, batch.astype("float64"), 1)
    np.testing.assert_array_equal(whole.raw, real.raw)


def test_the_model_stays_as_it_was():
    model, batch = flatten_model(), images(size=6)
    model.get_layer("conv").trainable = False
    model.compile("sgd", "mse")
    before = [weight.numpy().copy() for weight in model.weights]
    config, trainable = model.get_config(), [w.path for w in model.trainable_weights]
    nodes = [len(layer._outbound_nodes) for layer in model.layers]
    prediction = model(batch, training=False).numpy()
    grad_cam(model, batch)
    assert model.get_config() == config and model.compiled
    assert [w.path for w in model.trainable_weights] == trainable
    assert [len(layer._outbound_nodes) for layer in model.layers] == nodes
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    np.testing.assert_array_equal(model(batch, training=False).numpy(), prediction)


def test_an_empty_map_is_flagged_and_drawn_as_the_plain_image(tmp_path):
    model, batch = gap_model(), images()
    head = model.get_layer("logits")
    kernel = np.abs(head.kernel.numpy())
    kernel[:, 0] *= -1
    head.kernel.assign(kernel)
    heatmaps = grad_cam(model, batch, [0, 1, 0, 2])
    np.testing.assert_array_equal(heatmaps.is_empty, [True, False, True, False])
    np.testing.assert_array_equal(heatmaps.normalised.max(axis=(1, 2)), [0, 1, 0, 1])
    np.testing.assert_array_equal(heatmaps.overlay(batch)[0], batch[0])
    titles = [axes.get_title() for axes in heatmaps.figure(batch, list("abcd")).axes]
    assert titles[:4] == ["a\n(no positive evidence)", "b", "c\n(no positive evidence)", "d"]


@pytest.mark.parametrize("name", kcnn.models.names())
def test_the_default_layer_of_every_model_is_its_last_activation_before_pooling(name):
    model = kcnn.models.build(name)
    chosen, output = feature_map(model)
    layer = model.get_layer(chosen)
    assert output is layer.output
    assert len(output.shape) == 4 and min(output.shape[1:3]) > 1
    assert not isinstance(layer, LAYERS.Conv2D | LAYERS.BatchNormalization | LAYERS.MaxPooling2D)
    after = model.layers[model.layers.index(layer) + 1 :]
    assert not any(isinstance(later, LAYERS.Conv2D | LAYERS.ReLU) for later in after[:3])
    assert not any(len(weight.shape) == 4 for later in after for weight in later.weights)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("simple_cnn", (16, 16, 32)),
        ("lenet5", (10, 10, 16)),
        ("alexnet", (7, 7, 256)),
        ("vgg11", (2, 2, 512)),
        ("resnet20", (8, 8, 64)),
    ],
)
def test_registered_models_are_explained_at_the_expected_resolution(name, shape):
    model = kcnn.models.build(name)
    heatmaps = grad_cam(model, images(2, size=32))
    assert heatmaps.raw.shape == (2, *shape[:2])
    assert model.get_layer(heatmaps.layer).output.shape[1:] == shape
    features = output_of(model, heatmaps.layer, images(2, size=32))
    assert features.min() == 0 and np.isfinite(heatmaps.normalised).all()


def test_resnet20_equals_cam():
    model, batch = randomise(kcnn.models.build("resnet20")), images(2, size=32)
    heatmaps = grad_cam(model, batch)
    layer, head = heatmaps.layer, model.layers[-1].name
    expected = np.maximum(signed_cam(model, batch, heatmaps.class_index, layer, head), 0)
    assert_same_map(heatmaps.raw, expected)


def test_a_wrong_layer_name_lists_the_candidates():
    model = gap_model()
    with pytest.raises(ValueError, match=r"Unknown layer 'rellu'. Did you mean 'relu'\? Known: bn"):
        grad_cam(model, images(), layer="rellu")
    with pytest.raises(ValueError, match=r"'logits' has no spatial output.*\(None, 5\).*conv, bn"):
        grad_cam(model, images(), layer="logits")


def test_a_layer_is_taken_by_name():
    model, batch = gap_model(), images()
    heatmaps = grad_cam(model, batch, 1, layer="conv")
    assert heatmaps.layer == "conv" and not np.allclose(heatmaps.raw, grad_cam(model, batch, 1).raw)
    assert grad_cam(model, batch, 1, layer="rescale").layer == "rescale"  # before any weights


def test_a_layer_without_a_gradient_is_refused():
    image = keras.Input((12, 12, 3))
    x = LAYERS.Conv2D(4, 3, name="conv")(image)
    x = LAYERS.Flatten()(keras.ops.stop_gradient(x))
    model = keras.Model(image, LAYERS.Dense(3)(x))
    with pytest.raises(ValueError, match="no gradient"):
        grad_cam(model, images(), layer="conv")


def unbuilt():
    return keras.Sequential([LAYERS.Conv2D(2, 3), LAYERS.Flatten(), LAYERS.Dense(2)])


def perceptron():
    image = keras.Input((12, 12, 3))
    x = LAYERS.Flatten()(LAYERS.BatchNormalization()(LAYERS.ZeroPadding2D()(image)))
    return keras.Model(image, LAYERS.Dense(3)(x))


def one_pixel_from_the_start():
    body = [LAYERS.Rescaling(1 / 255), LAYERS.Conv2D(4, 12), LAYERS.Flatten(), LAYERS.Dense(3)]
    return keras.Sequential([keras.Input((12, 12, 3)), *body])


def nested():
    inner = keras.Sequential([keras.Input((12, 12, 3)), *stem(), LAYERS.GlobalMaxPooling2D()])
    return keras.Sequential([keras.Input((12, 12, 3)), inner, LAYERS.Dense(3)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: "model.keras", "needs a Keras 3 model"),
        (unbuilt, "Sequential with an Input layer"),
        (perceptron, "no feature map to explain"),
        (one_pixel_from_the_start, "no feature map to explain"),
        (nested, "hidden inside its nested model"),
        (lambda: keras.Sequential([keras.Input((12, 12, 3)), *stem()]), r"output \[N, classes\]"),
    ],
)
def test_models_that_cannot_be_explained_say_why(model, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(model(), images())


@pytest.mark.parametrize("index", [5, -1, 1.0, True, [1, 2], [[1], [2], [3], [4]], "cat"])
def test_a_bad_class_index_is_refused(index):
    with pytest.raises(ValueError, match="Expected class_index None, an integer from 0 to 4"):
        grad_cam(gap_model(), images(), index)


@pytest.mark.parametrize("batch", [images(size=11), images()[..., :1], images()[:0], images() > 9])
def test_bad_images_are_refused(batch):
    with pytest.raises(ValueError, match=r"Expected images of shape \[N, 12, 12, 3\]"):
        grad_cam(gap_model(), batch)


def test_a_model_full_of_nans_is_refused():
    model = gap_model()
    model.get_layer("logits").bias.assign([np.nan] * 5)
    with pytest.raises(ValueError, match="not finite"):
        grad_cam(model, images())
