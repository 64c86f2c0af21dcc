"""kcnn.explain.check: on a model whose evidence is known, and on maps that are wrong on purpose."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from small_models import LAYERS, flatten_model, gap_model, images, randomize, snapshot, stem

from kcnn.explain import METHODS, check, grad_cam
from kcnn.explain.checks.localization import heat_within, peak_within
from kcnn.explain.checks.randomization import spearman
from kcnn.explain.methods import Method
from kcnn.intervals import bootstrap

SIZE = 16


def color_model(*, bias=(0, 0, 0, 0)):
    """Four classes, red, green, blue and bright, each seen by one channel and only where it is."""
    colors = np.eye(3, 4) - 0.5 * (1 - np.eye(3, 4))
    colors[:, 3] = 0.2
    layers = [
        LAYERS.Rescaling(1 / 255),
        LAYERS.Conv2D(4, 1, activation="relu", name="colors"),
        LAYERS.GlobalAveragePooling2D(),
        LAYERS.Dense(4, name="logits"),
    ]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])
    model.get_layer("colors").set_weights([colors[None, None], np.full(4, -0.1)])
    model.get_layer("logits").set_weights([40 * np.eye(4), np.array(bias)])
    return model


def color_images(count=32, seed=0):
    """A colored square of 8x8 around the middle of a dark image; there are no white ones."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 6, (count, SIZE, SIZE, 3))
    labels = np.arange(count) % 3
    for n, label in enumerate(labels):
        row, column = rng.integers(2, 7, 2)
        pixels[n, row : row + 8, column : column + 8, label] += 200
    return pixels.astype("uint8"), labels


@pytest.fixture(scope="module")
def known():
    return check(color_model(), *color_images(), layer="colors")


def wrong_method(monkeypatch, maps):
    monkeypatch.setitem(METHODS, "wrong", Method("Wrong", "", maps))
    return check(color_model(), *color_images(), method="wrong")


def means(score):
    return {name: estimate.mean for name, estimate in score.estimates.items()}


def test_maps_that_show_the_evidence_pass_every_test(known):
    for score in known.scores:
        assert "edges" in score.beats, score.name
        assert "random" in score.beats or score is known.randomization.score, score.name
    for test in (known.planted_patch, known.mosaic):
        assert len(test.images) > 16
        assert min(test.heat.values["own"]) > 0.999 and min(test.peak.values["own"]) == 1
        assert means(test.heat)["random"] == pytest.approx(0.25, abs=0.01)
        assert means(test.heat)["edges"] < 0.7
    # Half of a square is a fifth to an eighth of the image: then nothing is left to see.
    deletion, insertion = known.deletion.probability["own"], known.insertion.probability["own"]
    assert (deletion[:, 5:] < 0.3).all() and (insertion[:, 5:] > 0.9).all()


@pytest.mark.parametrize(
    "maps",
    [
        lambda seen: (
            tf.reduce_max(METHODS["cam"].maps(seen), (1, 2), True) - METHODS["cam"].maps(seen)
        ),
        lambda seen: tf.random.stateless_uniform(seen.features.shape[:3], (1, 2)),
    ],
    ids=["inverted", "noise"],
)
def test_maps_that_show_anything_else_fail(monkeypatch, maps):
    result = wrong_method(monkeypatch, maps)
    tests = (*result.scores[:2], *result.scores[3:])
    assert not any("random" in score.beats for score in tests), str(result)


def test_a_map_of_the_image_fails_where_it_matters(monkeypatch):
    result = wrong_method(monkeypatch, lambda seen: tf.reduce_mean(seen.images, -1))
    assert result.randomization.score.beats == ()  # no weight moves it
    np.testing.assert_allclose(result.randomization.correlation, 1)
    # It shows the object of every quarter, and so not that of the class.
    assert means(result.mosaic.heat)["own"] == pytest.approx(0.25, abs=0.05)
    assert "random" in result.deletion.score.beats  # which is why deletion alone proves little


@pytest.mark.parametrize("insert", [False, True], ids=["deletion", "insertion"])
def test_curves_are_those_of_a_recomputation_in_numpy(insert):
    model, batch = gap_model(), images(6)
    labels = np.arange(6) % 5
    result = check(model, batch, labels)
    curves = result.insertion if insert else result.deletion
    raw, predicted = grad_cam(model, batch).raw, model(batch.astype("float32")).numpy().argmax(-1)
    places = np.arange(12)
    kernel = np.exp(-((places[:, None] - places) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum(1, keepdims=True)
    for n, image in enumerate(batch.astype("float64")):
        blur = np.einsum("ij,kl,jlc->ikc", kernel, kernel, image)
        start, end = (blur, image) if insert else (image, np.zeros(3) + batch.mean((0, 1, 2)))
        hottest = np.argsort(-raw[n].ravel(), kind="stable")
        for step in (0, 1, 2, 4, 16):
            count = step * 9
            assert step == 16 or count <= (raw[n] > 0).sum()  # below, zeros lie in random order
            changed = np.isin(np.arange(144), hottest[:count]).reshape(12, 12, 1)
            mixed = np.where(changed, end, start)[None].astype("float32")
            scores = model(mixed).numpy()[0].astype("float64")
            expected = (
                np.exp(scores - scores.max())[predicted[n]] / np.exp(scores - scores.max()).sum()
            )
            assert curves.probability["own"][n, step] == pytest.approx(expected, rel=1e-3)
    for name, probability in curves.probability.items():
        area = ((probability[:, 1:] + probability[:, :-1]) / 2).sum(axis=1) / 16
        np.testing.assert_allclose(curves.score.values[name], area, rtol=1e-6)


def test_patches_decide_and_are_what_they_are_said_to_be(known):
    model, (batch, _) = color_model(), color_images()
    test = known.planted_patch
    predicted = model(test.images).numpy().argmax(-1)
    np.testing.assert_array_equal(predicted, test.heatmaps.class_index)
    region = test.region[..., None]
    without = np.where(region, batch.mean((0, 1, 2)), test.images).astype("float32")
    assert (model(without).numpy().argmax(-1) != predicted).all()
    middles = batch[:, 4:12, 4:12].reshape(len(batch), -1)
    for image, where in zip(test.images, test.region, strict=True):
        assert where.sum() == 64
        host = np.where(where[..., None], 0, image - batch).any(axis=(1, 2, 3))
        assert not host.all()  # outside the patch, it is one of the images
        assert (middles == image[where].ravel()).all(axis=1).any()  # inside, the middle of another


def test_a_mosaic_has_the_class_in_its_quarter_alone(known):
    test = known.mosaic
    for image, where, predicted in zip(
        test.images, test.region, test.heatmaps.class_index, strict=True
    ):
        quarters = image.reshape(2, 8, 2, 8, 3).swapaxes(1, 2).reshape(4, 64, 3)
        classes = quarters.mean(axis=1).argmax(axis=-1)
        right = where.reshape(2, 8, 2, 8).all(axis=(1, 3)).ravel()
        assert where.sum() == 64 and (classes[right] == predicted).all()
        assert predicted not in classes[~right] and set(classes) == {0, 1, 2}
    assert len({where.tobytes() for where in test.region}) == 4


def test_layers_become_random_from_the_top_and_all_come_back(monkeypatch):
    model, states = flatten_model(), []

    def maps(seen):
        states.append({w.path: w.numpy() for w in model.weights if "seed" not in w.path})
        return METHODS["gradcam"].maps(seen)

    monkeypatch.setitem(METHODS, "wrong", Method("Wrong", "", maps))
    before, batch = snapshot(model), images(12, size=6)
    result = check(model, batch, np.arange(12) % 4, method="wrong")
    assert snapshot(model) == before
    names = result.randomization.layers
    assert names[0] == "logits" and names[-1] == "conv" and "hidden" in names
    trained, cascade = states[0], states[1 : len(names) + 1]
    for index, state in enumerate(cascade):
        changed = {path.split("/")[-2] for path in state if (state[path] != trained[path]).any()}
        assert set(names[: index + 1]) <= changed
        assert not changed & set(names[index + 1 :])
    assert all((cascade[-1][path] != trained[path]).any() for path in trained)


class WithWeightsOfItsOwn(keras.Model):
    """A model that owns weights itself, beside those of its layers."""

    def __init__(self):
        super().__init__()
        self.conv = LAYERS.Conv2D(6, 3, activation="relu", name="conv")
        self.share = self.add_weight(shape=(6,), initializer="random_normal", name="share")
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.head = self.add_weight(shape=(6, 5), initializer="random_normal", name="head")

    def call(self, x):
        return self.scale * tf.reduce_mean(self.conv(x) * self.share, (1, 2)) @ self.head


def test_weights_that_a_model_owns_itself_become_random_too_and_come_back(monkeypatch):
    keras.utils.set_random_seed(0)
    model, states = WithWeightsOfItsOwn(), []
    model(images(1).astype("float32"))

    def maps(seen):
        states.append([w.numpy() for w in model.weights])
        return METHODS["gradcam"].maps(seen)

    monkeypatch.setitem(METHODS, "wrong", Method("Wrong", "", maps))
    before = [w.numpy().tobytes() for w in model.weights]
    result = check(model, images(6), np.arange(6) % 5, method="wrong")
    last = states[len(result.randomization.layers)]
    changed = {
        w.name for w, a, b in zip(model.weights, states[0], last, strict=True) if (a != b).any()
    }
    assert changed == {"kernel", "share", "scale", "head"}  # a bias of zeros is shuffled in vain
    assert [w.numpy().tobytes() for w in model.weights] == before


def test_an_error_while_the_weights_are_random_leaves_the_model_as_it_was(monkeypatch):
    model, calls = gap_model(), []

    def maps(seen):
        calls.append(model.get_layer("logits").kernel.numpy())
        if len(calls) == 2:
            raise OverflowError
        return METHODS["gradcam"].maps(seen)

    monkeypatch.setitem(METHODS, "wrong", Method("Wrong", "", maps))
    before = snapshot(model)
    with pytest.raises(OverflowError):
        check(model, images(6), np.arange(6) % 5, method="wrong")
    assert (calls[0] != calls[1]).all() and snapshot(model) == before


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    first, second = np.maximum(rng.normal(size=(2, 5, 4, 6)), 0)  # with ties
    second += first
    pairs = zip(first.reshape(5, -1), second.reshape(5, -1), strict=True)
    expected = [scipy.stats.spearmanr(*pair).statistic for pair in pairs]
    np.testing.assert_allclose(spearman(first, second), expected)


def test_heat_is_counted_by_area():
    raw = np.array([[[8.0, 0.0], [0.0, 2.0]], [[0, 0], [0, 0]], [[1, 1], [0, 0]]])
    region = np.zeros((3, 4, 4), bool)
    region[:, :2, :1] = True  # half of the first cell
    np.testing.assert_allclose(heat_within(raw, region), [0.4, 1 / 8, 1 / 4])
    np.testing.assert_allclose(peak_within(raw, region), [1 / 2, 1 / 8, 1 / 4])


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    found = [bootstrap(rng.beta(1, 3, 40), seed=n) for n in range(400)]
    held = np.mean([each.low <= 0.25 <= each.high for each in found])
    assert 0.91 < held < 0.98
    width = np.mean([each.high - each.low for each in found])
    assert width == pytest.approx(2 * 1.96 * np.sqrt(3 / 80 / 40), rel=0.05)
    few = [bootstrap(np.ones(n)).low for n in (0, 1)]
    assert np.isnan(few).all()


def test_the_seed_draws_everything(known):
    again = check(color_model(), *color_images(), layer="colors")
    other = check(color_model(), *color_images(), layer="colors", seed=1)
    assert str(again) == str(known) != str(other)
    np.testing.assert_array_equal(again.planted_patch.images, known.planted_patch.images)


def test_any_head_size_and_number_of_channels_will_do():
    def model(activation):
        head = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(3, activation=activation)]
        return randomize(keras.Sequential([keras.Input((9, 7, 1)), *stem(), *head]))

    batch = np.random.default_rng(0).integers(0, 256, (10, 9, 7, 1))
    results = [check(model(name), batch, np.arange(10) % 3) for name in (None, "softmax")]
    assert str(results[0]) == str(results[1])


def test_where_too_few_images_count_the_table_says_so(tmp_path):
    batch, labels = color_images(12)
    result = check(color_model(bias=(90, 0, 0, 0)), batch, (labels + 1) % 3)
    assert len(result.mosaic.images) == 0
    last = result.table().splitlines()[-1]
    assert last.count("too few images") == 3 and last.endswith(" 0")
    result.save(tmp_path / "check.png")


def test_the_table_and_the_picture_show_every_test(known, tmp_path):
    lines = str(known).splitlines()
    assert lines[0].startswith("Grad-CAM at layer 'colors', 32 images")
    assert len(lines) == 2 + len(known.scores)
    for line, score in zip(lines[2:], known.scores, strict=True):
        assert line.startswith(score.name) and str(score.estimates["own"]) in line
    axes = known.plot().axes
    assert [len(cell.get_lines()) for cell in axes[:3]] == [3, 3, 3]
    drawn = axes[0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(drawn, known.deletion.probability["own"].mean(axis=0), rtol=1e-5)
    known.save(tmp_path / "check.svg")
    assert "Grad-CAM at layer" in (tmp_path / "check.svg").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 1]}, "Expected images .* and labels"),
        ({"labels": np.zeros(6)}, "labels of float64"),
        ({"labels": [0, 1, 2, 3, 4, -1]}, "integers from 0"),
        ({"labels": [0, 1, 2, 3, 4, 5]}, "Expected labels below 5"),
        ({"labels": [2] * 6}, "two classes or more"),
        ({"images": images(6)[0]}, "Expected images"),
        ({"method": "gradcan"}, "Did you mean 'gradcam'"),
        ({"layer": "rely"}, "Did you mean 'relu'"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {"images": images(6), "labels": np.arange(6) % 5} | change
    with pytest.raises(ValueError, match=message):
        check(gap_model(), **arguments)


def test_maps_that_are_all_empty_are_refused():
    model = gap_model()
    model.get_layer("logits").kernel.assign(np.zeros((6, 5)))
    with pytest.raises(ValueError, match="every map of method 'gradcam' is empty"):
        check(model, images(6), np.arange(6) % 5)
