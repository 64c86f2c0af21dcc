"""Every method against its paper's formula, written out in float64, and the laws they obey."""

import keras
import numpy as np
import pytest
from small_models import (
    LAYERS,
    assert_rectified,
    assert_same_map,
    flatten_model,
    gap_model,
    images,
    output_of,
    randomize,
    signed_cam,
    stem,
)

from kcnn.explain import METHODS, grad_cam

PAIRS = [(0, 1), (3, 2), (2, 0)]


def hidden_model():
    """Conv features, flattened, one hidden ReLU, logits: its gradients are known in closed form."""
    head = [
        LAYERS.Flatten(),
        LAYERS.Dense(7, activation="relu", name="hidden"),
        LAYERS.Dense(4, name="logits"),
    ]
    return randomize(keras.Sequential([keras.Input((6, 6, 3)), *stem(), *head]))


def linear_model():
    """Conv features, flattened, logits: linear in the features, but for the class's position."""
    body = [*stem(), LAYERS.Flatten(), LAYERS.Dense(4, name="logits")]
    return randomize(keras.Sequential([keras.Input((6, 6, 3)), *body]))


def gradients_of(model, features, target):
    """The gradient in float64 of `target` times the logits by the features of one image."""
    w1, b1 = (w.astype("float64") for w in model.get_layer("hidden").get_weights())
    w2 = model.get_layer("logits").get_weights()[0].astype("float64")
    active = features.ravel() @ w1 + b1 > 0
    return (w1 @ (active * (w2 @ target))).reshape(features.shape)


def gradcam_formula(a, g):
    return sum(g[:, :, k].mean() * a[:, :, k] for k in range(a.shape[-1]))


def gradcam_plus_plus_formula(a, g):
    total = np.zeros(a.shape[:2])
    for k in range(a.shape[-1]):
        weight = 0.0
        for i, j in np.ndindex(a.shape[:2]):
            if g[i, j, k]:
                alpha = g[i, j, k] ** 2 / (2 * g[i, j, k] ** 2 + a[:, :, k].sum() * g[i, j, k] ** 3)
                weight += alpha * max(g[i, j, k], 0)
        total += weight * a[:, :, k]
    return total


def hirescam_formula(a, g):
    return sum(g[:, :, k] * a[:, :, k] for k in range(a.shape[-1]))


def layercam_formula(a, g):
    return sum(np.maximum(g[:, :, k], 0) * a[:, :, k] for k in range(a.shape[-1]))


FORMULAS = {
    "gradcam": gradcam_formula,
    "gradcam++": gradcam_plus_plus_formula,
    "hirescam": hirescam_formula,
    "layercam": layercam_formula,
}


@pytest.mark.parametrize("class_index", [[1, 3, 0], PAIRS], ids=["class", "pair"])
@pytest.mark.parametrize("method", FORMULAS)
def test_a_method_is_its_papers_formula(method, class_index):
    model, batch = hidden_model(), images(3, size=6)
    heatmaps = grad_cam(model, batch, class_index, method=method)
    assert heatmaps.raw.any()
    for n, features in enumerate(output_of(model, "relu", batch)):
        target = np.zeros(4)
        for index, sign in zip(np.atleast_1d(class_index[n]), (1, -1), strict=False):
            target[index] = sign
        expected = FORMULAS[method](features, gradients_of(model, features, target))
        assert_rectified(heatmaps.raw[n], expected)


def bilinear(size, count):
    """The matrix that stretches `size` values to `count`, between their centres."""
    matrix = np.zeros((count, size))
    for row in range(count):
        place = np.clip((row + 0.5) * size / count - 0.5, 0, size - 1)
        low = int(place)
        matrix[row, low] += 1 - (place - low)
        matrix[row, min(low + 1, size - 1)] += place - low
    return matrix


def scorecam_loop(model, image, features, target):
    maps, scores = [], []
    stretch = bilinear(features.shape[0], image.shape[0])
    for k in range(features.shape[-1]):
        if features[:, :, k].max() == features[:, :, k].min():
            continue
        mask = stretch @ features[:, :, k] @ stretch.T
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        masked = (mask[:, :, None] * image)[None].astype("float32")
        maps.append(features[:, :, k])
        scores.append(model(masked, training=False).numpy()[0].astype("float64") @ target)
    weights = np.exp(np.array(scores) - max(scores))
    return np.maximum(np.tensordot(weights / weights.sum(), maps, axes=1), 0)


def wide_model():
    """More channels than are masked at once; one of them is dead."""
    model = randomize(
        keras.Sequential(
            [
                keras.Input((10, 10, 3)),
                LAYERS.Rescaling(1 / 127.5, offset=-1),
                LAYERS.Conv2D(70, 3, strides=2, activation="relu", name="conv"),
                LAYERS.Flatten(),
                LAYERS.Dense(4, name="logits"),
            ]
        )
    )
    bias = model.get_layer("conv").bias.numpy()
    bias[5] = -100
    model.get_layer("conv").bias.assign(bias)
    return model


@pytest.mark.parametrize("class_index", [[1, 3], [(1, 2), (0, 3)]], ids=["class", "pair"])
def test_scorecam_is_its_papers_algorithm(class_index):
    model, batch = wide_model(), images(2, size=10)
    features = output_of(model, "conv", batch)
    assert not features[..., 5].any()
    heatmaps = grad_cam(model, batch, class_index, method="scorecam")
    for n, received in enumerate(heatmaps.raw):
        target = np.zeros(4)
        for index, sign in zip(np.atleast_1d(class_index[n]), (1, -1), strict=False):
            target[index] = sign
        expected = scorecam_loop(model, batch[n].astype("float64"), features[n], target)
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * expected.max())


class Counting(keras.Model):
    """A model that returns how many images it was given at a time."""

    def __init__(self, model):
        super().__init__()
        self.model, self.sizes = model, []

    def call(self, x):
        self.sizes.append(x.shape[0])
        return keras.ops.stop_gradient(self.model(x))


def test_scorecam_asks_forwards_only_and_in_batches():
    model, batch = Counting(wide_model()), images(2, size=10)
    model(batch[:1].astype("float32"))
    with pytest.raises(ValueError, match="no gradient"):
        grad_cam(model, batch)
    model.sizes.clear()
    assert grad_cam(model, batch, method="scorecam").raw.any()
    features = output_of(model.model, "conv", batch)
    live = (features.max(axis=(1, 2)) > features.min(axis=(1, 2))).sum(axis=-1)
    # The first image, both, and then one for each channel that is not constant.
    assert sum(model.sizes) == 1 + 2 + live.sum() and max(live) > max(model.sizes) == 64


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_feature_map_is_no_failure(method):
    model, batch = gap_model(), np.zeros((2, 12, 12, 3), "uint8")
    model.get_layer("conv").kernel.assign(0 * model.get_layer("conv").kernel)
    heatmaps = grad_cam(model, batch, 1, method=method)
    assert np.isfinite(heatmaps.raw).all() and np.isfinite(heatmaps.normalized).all()


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "cam"])
def test_on_a_pooling_head_a_map_adds_up_to_its_logit(method):
    """The sum of evidence for and against, which a pair and its reverse show, is the score."""
    model, batch = gap_model(), images(3)
    bias = model.get_layer("logits").bias.numpy()
    forth, back = (grad_cam(model, batch, p, method=method) for p in ((3, 1), (1, 3)))
    total = (forth.raw - back.raw).sum(axis=(1, 2)) + bias[3] - bias[1]
    np.testing.assert_allclose(total, forth.score, rtol=1e-4, atol=1e-5)
    logits = model(batch, training=False).numpy()
    np.testing.assert_allclose(forth.score, logits[:, 3] - logits[:, 1], rtol=1e-4, atol=1e-5)


def test_with_a_second_class_that_is_silent_the_map_is_the_classs_own():
    model, batch = gap_model(), images(3)
    kernel, bias = model.get_layer("logits").get_weights()
    kernel[:, 1] = 0
    model.get_layer("logits").set_weights([kernel, bias])
    signed = signed_cam(model, batch, [3] * 3)
    for pair, sign in (((3, 1), 1), ((1, 3), -1)):
        assert_rectified(grad_cam(model, batch, pair).raw, sign * signed)
    # Completeness: the mean of the map in CAM's own scale, and the bias, are the logit.
    np.testing.assert_allclose(
        signed.sum(axis=(1, 2)) + bias[3], grad_cam(model, batch, 3).score, rtol=1e-4, atol=1e-5
    )


def test_on_a_flatten_head_only_hirescam_adds_up_to_the_logit():
    model, batch = linear_model(), images(3, size=6)
    bias = model.get_layer("logits").bias.numpy()
    missing = {}
    for method in ("hirescam", "gradcam"):
        forth, back = (grad_cam(model, batch, p, method=method) for p in ((3, 1), (1, 3)))
        total = (forth.raw - back.raw).sum(axis=(1, 2)) + bias[3] - bias[1]
        missing[method] = np.abs(total - forth.score).max()
    assert missing["hirescam"] < 1e-4 < 0.1 < missing["gradcam"]


def test_through_a_max_pool_against_finite_differences_in_float64():
    model, batch = flatten_model(), images(2, size=6)
    w1, b1 = (w.astype("float64") for w in model.get_layer("hidden").get_weights())
    w2, b2 = (w.astype("float64") for w in model.get_layer("logits").get_weights())

    def logit(features, index):
        height, width, channels = features.shape
        rectified = np.maximum(features, 0)
        pooled = rectified.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
        return (np.maximum(pooled.ravel() @ w1 + b1, 0) @ w2 + b2)[index]

    # Before the ReLU, where no two values tie: a max pool has no derivative at tied zeros.
    heatmaps = grad_cam(model, batch, [1, 2], layer="bn")
    step = 1e-6
    for n, features in enumerate(output_of(model, "bn", batch)):
        index = heatmaps.class_index[n]
        gradients = np.zeros_like(features)
        for position in np.ndindex(features.shape):
            nudge = np.zeros_like(features)
            nudge[position] = step
            rise = logit(features + nudge, index) - logit(features - nudge, index)
            gradients[position] = rise / (2 * step)
        assert_rectified(heatmaps.raw[n], gradcam_formula(features, gradients))
        np.testing.assert_allclose(heatmaps.score[n], logit(features, index), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_flipped_image_has_the_flipped_map(method):
    model, batch = gap_model(), images(2)
    kernel = model.get_layer("conv").kernel
    kernel.assign((kernel.numpy() + kernel.numpy()[:, ::-1]) / 2)
    heatmaps = grad_cam(model, batch, 2, method=method)
    flipped = grad_cam(model, batch[:, :, ::-1], 2, method=method)
    assert_same_map(flipped.raw[:, :, ::-1], heatmaps.raw)
    assert not np.allclose(flipped.raw, heatmaps.raw)


@pytest.mark.parametrize("method", METHODS)
def test_adding_a_constant_to_all_logits_changes_no_map(method):
    model, batch = gap_model(), images(2)
    before = grad_cam(model, batch, method=method)
    bias = model.get_layer("logits").bias
    bias.assign(bias + 7.0)
    after = grad_cam(model, batch, method=method)
    assert_same_map(after.raw, before.raw)
    np.testing.assert_array_equal(after.class_index, before.class_index)
    np.testing.assert_allclose(after.score, before.score + 7, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_every_map_is_independent_of_the_batch(method):
    model, batch, chosen = gap_model(), images(4), [0, 3, 4, 1]
    whole = grad_cam(model, batch, chosen, method=method)
    for n, image in enumerate(batch):
        alone = grad_cam(model, image, chosen[n], method=method)
        assert alone.raw.shape == (1, 12, 12)
        assert_same_map(alone.raw[0], whole.raw[n])
        np.testing.assert_allclose(alone.score, whole.score[n], rtol=1e-5)


def test_cam_of_a_network_in_network_is_its_own_class_map():
    body = [*stem(), LAYERS.Conv2D(4, 1, name="classes"), LAYERS.GlobalAveragePooling2D()]
    model = randomize(keras.Sequential([keras.Input((12, 12, 3)), *body]))
    batch = images(3)
    expected = output_of(model, "classes", batch)[..., 2] / 144
    for method in ("cam", "gradcam"):
        heatmaps = grad_cam(model, batch, 2, method=method)
        assert heatmaps.layer == "classes"
        assert_rectified(heatmaps.raw, expected)


def max_pooled():
    body = [*stem(), LAYERS.GlobalMaxPooling2D(), LAYERS.Dense(5)]
    return randomize(keras.Sequential([keras.Input((12, 12, 3)), *body]))


def two_dense():
    return gap_model(LAYERS.Dense(5, activation="relu"), LAYERS.Dense(5))


@pytest.mark.parametrize(
    ("model", "layer"),
    [(two_dense, None), (max_pooled, None), (linear_model, None), (gap_model, "bn")],
)
def test_cam_is_refused_where_it_would_not_be_exact(model, layer):
    model = model()
    batch = images(2, size=model.input_shape[1])
    with pytest.raises(ValueError, match="'cam' needs logits that are weighted means.*hirescam"):
        grad_cam(model, batch, layer=layer, method="cam")
