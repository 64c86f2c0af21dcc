"""grad_cam's arguments, its default layer, and which warnings it logs."""

import inspect
import logging

import keras
import numpy as np
import pytest
from narrow_models import build_narrow
from small_models import (
    LAYERS,
    assert_rectified,
    assert_same_map,
    flatten_model,
    gap_model,
    images,
    randomize,
    signed_cam,
    stem,
)

import kcnn.models
from kcnn import explain
from kcnn.explain import grad_cam
from kcnn.explain.layers import spatial_layer
from kcnn.explain.trace import recorded


def default_layer(model, batch):
    """The name of the layer that is explained by default and what it gives for a batch."""
    with recorded(model) as calls:
        model(batch.astype("float32"), training=False)
    name = spatial_layer(calls)
    return name, calls[name].output.numpy()


def test_a_map_says_what_it_explains():
    model, batch = gap_model(), images()
    chosen = np.array([0, 3, 4, 3])
    heatmaps = grad_cam(model, batch, chosen)
    assert_rectified(heatmaps.raw, signed_cam(model, batch, chosen))
    logits = model(batch, training=False).numpy()
    np.testing.assert_allclose(heatmaps.score, logits[range(4), chosen], rtol=1e-5)
    np.testing.assert_array_equal(heatmaps.class_index, chosen)
    assert heatmaps.layer == "relu" and heatmaps.method == "gradcam"
    assert heatmaps.raw.dtype == np.float32


def test_by_default_the_told_class_is_explained_in_batches_of_any_size():
    model, batch = flatten_model(), images(70, size=6)  # more than run at once
    whole = grad_cam(model, batch)
    assert len(set(whole.class_index)) > 1
    for n in (0, 1, 63, 64, 69):
        alone = grad_cam(model, batch[n])
        assert alone.raw.shape == (1, 6, 6) and alone.class_index == whole.class_index[n]
        assert_same_map(alone.raw[0], whole.raw[n])
    named = grad_cam(model, batch, whole.class_index)
    np.testing.assert_array_equal(named.raw, whole.raw)
    np.testing.assert_array_equal(named.score, whole.score)


def test_a_tuple_is_a_pair_and_a_list_is_one_class_an_image():
    model, batch = gap_model(), images(2)
    listed, pair = grad_cam(model, batch, [3, 1]), grad_cam(model, batch, (3, 1))
    np.testing.assert_array_equal(listed.class_index, [3, 1])
    np.testing.assert_array_equal(pair.class_index, [[3, 1], [3, 1]])
    logits = model(batch, training=False).numpy()
    np.testing.assert_allclose(listed.score, [logits[0, 3], logits[1, 1]], rtol=1e-5)
    np.testing.assert_allclose(pair.score, logits[:, 3] - logits[:, 1], rtol=1e-4)
    one_each = grad_cam(model, batch, [(3, 1), (0, 4)])
    np.testing.assert_array_equal(one_each.class_index, [[3, 1], [0, 4]])
    np.testing.assert_allclose(one_each.raw[0], pair.raw[0], rtol=1e-5)
    assert_same_map(one_each.raw[1], grad_cam(model, batch[1], (0, 4)).raw[0])


@pytest.mark.parametrize(
    "index",
    [5, -1, 1.0, True, [1, 2], [[1], [2], [3], [4]], "cat", (1,), (1, 2, 3, 4), (2, 2), (0, 5)]
    + [[(0, 1)] * 3 + [(2, 2)], [(0, 1)] * 3, [(0, 1), 2, 3, 4], ((0, 1),) * 4, []],
)
def test_a_bad_class_index_is_refused(index):
    with pytest.raises(ValueError, match="Expected class_index None, an integer from 0 to 4, a tu"):
        grad_cam(gap_model(), images(), index)


def test_a_layer_used_twice_stands_for_its_last_use():
    relu = LAYERS.ReLU(name="relu")
    image = keras.Input((12, 12, 3))
    x = relu(LAYERS.Conv2D(4, 3)(image))
    x = LAYERS.Dropout(0.5)(relu(LAYERS.Conv2D(5, 3)(x)))
    body = keras.Model(image, x)
    model = keras.Model(image, LAYERS.Dense(3)(LAYERS.Flatten()(x)))
    batch = images(2)
    name, output = default_layer(model, batch)
    assert name == "relu"
    np.testing.assert_array_equal(output, body(batch.astype("float32")).numpy())
    kernel = model.layers[-1].kernel.numpy().reshape(8, 8, 5, 3)
    expected = np.einsum("nhwk,k->nhw", output, kernel[..., 1].mean(axis=(0, 1)))
    assert_rectified(grad_cam(model, batch, 1).raw, expected)


def test_a_map_of_one_pixel_is_passed_over():
    head = [LAYERS.MaxPooling2D(), LAYERS.Conv2D(8, 6, activation="relu", name="one_pixel")]
    body = [keras.Input((12, 12, 3)), *stem(), *head, LAYERS.Flatten(), LAYERS.Dense(3)]
    model = keras.Sequential(body)
    assert model.get_layer("one_pixel").output.shape == (None, 1, 1, 8)
    assert default_layer(model, images())[0] == "relu"
    with pytest.raises(ValueError, match="'one_pixel' has no spatial output"):
        grad_cam(model, images(), layer="one_pixel")


FAMILIES = [family.builders[0] for name, family in kcnn.models.FAMILIES.items() if name != "mlp"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_default_layer_of_every_family_is_its_last_activation_before_pooling(name):
    model = build_narrow(name)
    chosen, output = default_layer(model, images(1, size=32))
    layer = model.get_layer(chosen)
    assert output.shape[1:] == layer.output.shape[1:]
    assert output.ndim == 4 and min(output.shape[1:3]) > 1
    assert not isinstance(layer, LAYERS.Conv2D | LAYERS.BatchNormalization | LAYERS.MaxPooling2D)
    after = model.layers[model.layers.index(layer) + 1 :]
    assert not any(isinstance(later, LAYERS.Conv2D | LAYERS.ReLU) for later in after[:3])
    assert not any(len(weight.shape) == 4 for later in after for weight in later.weights)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("simple_cnn", (16, 16)),
        ("lenet5", (5, 5)),
        ("alexnet", (7, 7)),
        ("nin", (8, 8)),
        ("vgg11", (2, 2)),
        ("resnet20", (8, 8)),
    ],
)
def test_registered_models_are_explained_at_the_expected_resolution(name, shape):
    batch = images(1, size=32)
    _, output = default_layer(build_narrow(name), batch)
    assert output.shape[1:3] == shape
    if name != "lenet5":  # whose activation is a tanh
        assert output.min() >= 0


@pytest.mark.parametrize("name", ["resnet20", "nin"])
def test_registered_models_that_pool_equal_cam(name):
    model, batch = randomize(build_narrow(name)), images(2, size=32)
    for pair in ((1, 2), (2, 1)):
        cam, hirescam, gradcam = (
            grad_cam(model, batch, pair, method=method) for method in ("cam", "hirescam", "gradcam")
        )
        assert_same_map(gradcam.raw, cam.raw)
        assert_same_map(hirescam.raw, cam.raw)
    assert cam.raw.any()


def test_a_wrong_layer_name_lists_the_candidates():
    model = gap_model()
    with pytest.raises(ValueError, match=r"Unknown layer 'rellu'. Did you mean 'relu'\? Known: bn"):
        grad_cam(model, images(), layer="rellu")
    with pytest.raises(ValueError, match=r"'logits' has no spatial output.*\(1, 5\).*conv, bn"):
        grad_cam(model, images(), layer="logits")


def test_a_layer_is_taken_by_name():
    model, batch = gap_model(), images()
    heatmaps = grad_cam(model, batch, 1, layer="conv")
    assert heatmaps.layer == "conv" and not np.allclose(heatmaps.raw, grad_cam(model, batch, 1).raw)
    assert grad_cam(model, batch, 1, layer="rescale").layer == "rescale"  # before any weights


def test_a_layer_of_a_nested_model_is_taken_by_its_own_name_where_that_is_enough():
    def branch(name):
        return keras.Sequential([keras.Input((12, 12, 3)), *stem()], name=name)

    image = keras.Input((12, 12, 3))
    x = LAYERS.Concatenate(name="both")([branch("left")(image), branch("right")(image)])
    x = LAYERS.Conv2D(3, 3, name="last")(x)
    inner = keras.Model(image, x, name="inner")
    head = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(4)]
    model = keras.Sequential([keras.Input((12, 12, 3)), inner, *head])
    batch = images()
    assert grad_cam(model, batch).layer == "inner/last"
    assert grad_cam(model, batch, layer="both").layer == "inner/both"
    whole = grad_cam(model, batch, 1, layer="inner")  # a model is a layer
    np.testing.assert_array_equal(whole.raw, grad_cam(model, batch, 1).raw)
    left = grad_cam(model, batch, 1, layer="left/relu")
    assert left.layer == "inner/left/relu"
    right = grad_cam(model, batch, 1, layer="inner/right/relu")
    assert not np.allclose(left.raw, right.raw)
    with pytest.raises(ValueError, match="called 'relu'. Name one: inner/left/relu, inner/right/r"):
        grad_cam(model, batch, layer="relu")


def test_a_wrong_method_is_refused():
    with pytest.raises(ValueError, match=r"Unknown method 'grad-cam'.*'gradcam'.*scorecam"):
        grad_cam(gap_model(), images(), method="grad-cam")


def test_empty_maps_are_told_and_drawn_as_the_plain_image(caplog):
    model, batch = gap_model(), images()
    head = model.get_layer("logits")
    kernel = np.abs(head.kernel.numpy())
    kernel[:, 0] *= -1
    head.kernel.assign(kernel)
    with caplog.at_level(logging.WARNING, "kcnn"):
        heatmaps = grad_cam(model, batch, [0, 1, 0, 2])
    assert "'relu' speaks for the class in 2 of 4 images (0, 2)" in caplog.text
    np.testing.assert_array_equal(heatmaps.is_empty, [True, False, True, False])
    np.testing.assert_array_equal(heatmaps.normalized.max(axis=(1, 2)), [0, 1, 0, 1])
    np.testing.assert_array_equal(heatmaps.coverage > 0, [False, True, False, True])
    np.testing.assert_array_equal(heatmaps.overlay(batch)[0], batch[0])
    titles = [axes.get_title() for axes in heatmaps.plot(batch, list("abcd")).axes]
    assert titles[:4] == ["a\n(no positive evidence)", "b", "c\n(no positive evidence)", "d"]
    caplog.clear()
    grad_cam(model, batch, [1, 2, 3, 4])
    assert not caplog.text


def test_float_images_and_integer_images_agree():
    model, batch = gap_model(), images()
    whole, real = grad_cam(model, batch, 1), grad_cam(model, batch.astype("float64"), 1)
    np.testing.assert_array_equal(whole.raw, real.raw)


def test_a_layer_without_a_gradient_is_refused():
    image = keras.Input((12, 12, 3))
    x = LAYERS.Conv2D(4, 3, name="conv")(image)
    x = LAYERS.Flatten()(keras.ops.stop_gradient(x))
    model = keras.Model(image, LAYERS.Dense(3)(x))
    with pytest.raises(ValueError, match="'conv' has no gradient.*scorecam"):
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


def two_inputs():
    image, other = keras.Input((12, 12, 3)), keras.Input((3,))
    x = LAYERS.Flatten()(LAYERS.Conv2D(4, 3)(image))
    return keras.Model([image, other], LAYERS.Dense(3)(LAYERS.Concatenate()([x, other])))


def channels_first():
    image = keras.Input((12, 12, 3))
    x = LAYERS.Conv2D(2, 3, data_format="channels_first", name="conv")(image)
    return keras.Model(image, LAYERS.Dense(3)(LAYERS.Flatten()(x)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: "model.keras", "needs a Keras 3 model"),
        (unbuilt, "not built and so has no weights"),
        (perceptron, "no feature map to explain"),
        (one_pixel_from_the_start, "no feature map to explain"),
        (two_inputs, "one input, the images"),
        (channels_first, "'conv' is channels_first"),
        (lambda: keras.Sequential([keras.Input((12, 12, 3)), *stem()]), r"output \[N, classes\]"),
    ],
)
def test_models_that_cannot_be_explained_say_why(model, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(model(), images())


@pytest.mark.parametrize("batch", [images(size=11), images()[..., :1], images()[:0], images() > 9])
def test_bad_images_are_refused(batch):
    with pytest.raises(ValueError, match=r"Expected images of shape \[N, 12, 12, 3\]"):
        grad_cam(gap_model(), batch)


def test_a_model_full_of_nans_is_refused():
    model = gap_model()
    model.get_layer("logits").bias.assign([np.nan] * 5)
    with pytest.raises(ValueError, match="not finite"):
        grad_cam(model, images())


@pytest.mark.parametrize(
    ("function", "positional"),
    [
        (explain.grad_cam, ["model", "images", "class_index"]),
        (explain.tflite_cam, ["path", "images", "class_index"]),
        (explain.drift, ["reference", "others"]),
        (explain.check, ["model", "images", "labels"]),
        (explain.feature_maps, ["model", "images"]),
        (explain.filters, ["model"]),
        (explain.maximize, ["model", "class_index"]),
        (explain.edge_response, ["image"]),
        (explain.plot_edge_response, ["image"]),
    ],
)
def test_only_what_a_function_is_about_is_given_by_position(function, positional):
    parameters = inspect.signature(function).parameters.values()
    assert [each.name for each in parameters if each.kind != each.KEYWORD_ONLY] == positional
