"""Images that maximize a class's logit: higher scores, reproducible, within range, model intact."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.image import imread
from small_models import LAYERS, gap_model, randomize, snapshot

from kcnn.explain import Maximized, maximize
from kcnn.explain.spectra import draw_shifts, images_of, shifted, start_spectra


def color_model(*head, channels=3, size=(12, 9)):
    """Its logits are the means of the channels, 0-100."""
    body = [LAYERS.Rescaling(1 / 2.55), LAYERS.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((*size, channels)), *body, *head])


def strong_model(*head):
    """A model with logits of some tens, as trained ones have."""
    model = gap_model(*head)
    kernel = model.get_layer("logits").kernel
    kernel.assign(40 * kernel)
    return model


def test_the_logit_rises_for_every_class_and_the_model_is_left_alone():
    model = strong_model()
    before = snapshot(model)
    found = maximize(model, steps=12, learning_rate=1.0)
    assert snapshot(model) == before
    assert found.images.shape == (5, 12, 12, 3) and found.images.dtype == np.uint8
    np.testing.assert_array_equal(found.class_index, range(5))
    logits = model(found.images.astype("float32"), training=False).numpy()
    np.testing.assert_allclose(found.after, logits[range(5), range(5)], rtol=1e-5)
    assert (found.after > found.before + 3).all()
    # Each image is its own class's best, not just a bright one.
    assert (logits.argmax(axis=0) == np.arange(5)).sum() >= 4


def test_the_score_is_the_logit_under_any_head():
    head = LAYERS.Dense(3, activation="softmax", name="logits")
    squashed = strong_model(head)  # saturated: there, a probability has no gradient
    bare = gap_model(LAYERS.Dense(3, name="logits"))
    bare.set_weights(squashed.get_weights())
    one, other = maximize(squashed, 1, steps=4), maximize(bare, 1, steps=4)
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal([one.before, one.after], [other.before, other.after])
    assert one.after > one.before


def test_a_class_that_is_a_color_gives_that_color():
    found = maximize(color_model(), steps=20)
    means = found.images.mean(axis=(1, 2))
    assert (means.argmax(axis=1) == [0, 1, 2]).all()
    opposed = keras.initializers.Constant([[1, -1], [-1, 1], [0, 0]])
    model = color_model(LAYERS.Dense(2, kernel_initializer=opposed))
    reddish, greenish = maximize(model, steps=25, learning_rate=1.0).images.mean(axis=(1, 2))
    assert reddish[0] > 150 > 110 > reddish[1] and greenish[0] < 110 < 150 < greenish[1]


def test_pictures_are_reproducible_and_another_seed_gives_others():
    model = strong_model()
    found, again, other = (maximize(model, [0, 2], steps=5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(found.images, again.images)
    np.testing.assert_array_equal(found.after, again.after)
    assert (found.images != other.images).any(axis=(1, 2, 3)).all()


def test_a_picture_does_not_depend_on_the_others_and_each_time_is_another():
    model = strong_model()
    together, alone = maximize(model, [4, 1, 4], steps=5), maximize(model, 4, steps=5)
    difference = together.images[0].astype(int) - alone.images[0]
    assert np.abs(difference).max() <= 1  # of rounding
    assert (together.images[0] != together.images[2]).any()
    many = maximize(model, [1] * 65 + [3], steps=1)  # more than run at once
    np.testing.assert_array_equal(many.images[65:], maximize(model, 3, steps=1).images)
    assert len(np.unique(many.images[:65], axis=0)) == 65


def total_variation(images):
    return tf.image.total_variation(tf.cast(images, "float32")).numpy().sum()


def test_variation_smooths():
    rough, smooth = (maximize(strong_model(), steps=12, variation=v) for v in (0.0, 300.0))
    assert total_variation(smooth.images) < 0.7 * total_variation(rough.images)
    assert (rough.after > smooth.after).mean() > 0.5


def test_long_strides_stay_within_range():
    found = maximize(strong_model(), 0, steps=8, learning_rate=50.0)
    assert (found.images.min(), found.images.max()) == (0, 255)
    assert np.isfinite(found.after).all()


def test_models_of_grey_images_and_of_any_size():
    one_output = color_model(channels=1)  # which stands for two classes
    gray = maximize(one_output, 1, steps=20)
    assert gray.images.shape == (1, 12, 9, 1) and gray.images.mean() > 140
    assert maximize(one_output, 0, steps=20).images.mean() < 115
    assert len(gray.plot().axes) == 1
    any_size = color_model(size=(None, None))
    assert maximize(any_size, 1, steps=1, size=(7, 10)).images.shape == (1, 7, 10, 3)
    with pytest.raises(ValueError, match="any size: say which"):
        maximize(any_size, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_index": 3}, "class_index None or integers from 0 to 2. Received: 3"),
        ({"class_index": -1}, "Received: -1"),
        ({"class_index": []}, "integers from 0 to 2"),
        ({"class_index": 1.0}, "integers from 0 to 2"),
        ({"class_index": "cat"}, "Received: 'cat'"),
        ({"steps": 0}, "steps=0"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"variation": -1.0}, "variation=-1.0"),
        ({"variation": float("nan")}, "variation=nan"),
        ({"size": (9, 9)}, r"Expected images of 12 x 9 pixels.*\(9, 9, 3\)"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        maximize(color_model(), **wrong)


def whole_numbers():
    image = keras.Input((6, 6, 3))
    x = LAYERS.GlobalAveragePooling2D()(keras.ops.cast(keras.ops.cast(image, "int32"), "float32"))
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (whole_numbers, "No gradient reaches the image"),
        (lambda: color_model(channels=4), r"with 1 or 3 channels. Received: \(12, 9, 4\)"),
        (lambda: "model.keras", "needs a Keras 3 model"),
        (lambda: keras.Sequential([keras.Input((6, 6, 3)), LAYERS.ReLU()]), r"\[N, classes\]"),
    ],
)
def test_models_that_cannot_be_maximized_say_why(model, message):
    with pytest.raises(ValueError, match=message):
        maximize(model())


def test_a_mixed_precision_model_is_maximized():
    policy, body = keras.DTypePolicy("mixed_bfloat16"), gap_model()
    layers = [type(each).from_config(each.get_config() | {"dtype": policy}) for each in body.layers]
    model = randomize(keras.Sequential([keras.Input((12, 12, 3)), *layers]))
    found = maximize(model, 2, steps=12)
    assert found.after > found.before and found.after.dtype == np.float32


def test_titles_and_files(tmp_path):
    images = np.zeros((7, 8, 8, 3), "uint8")
    found = Maximized(images, np.arange(7), np.zeros(7, "float32"), np.full(7, 12.34, "float32"))
    titles = [axes.get_title() for axes in found.plot().axes]
    assert titles == [f"class {n}\nlogit 0.0 → 12.3" for n in range(7)] + ["", "", ""]
    assert not any(axes.axison for axes in found.plot().axes)
    found.save(tmp_path / "found.png", list("abcdefg"))
    assert imread(tmp_path / "found.png").shape[1] > 1000
    with pytest.raises(ValueError, match="Expected 7 titles. Received: 2"):
        found.plot(["a", "b"])


# The images as sums of waves


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (6, 11)])
def test_one_frequency_is_one_wave(size):
    height, width = size
    spectrum = np.zeros((1, 1, height, width // 2 + 1, 2), "float32")
    spectrum[0, 0, 2, 1, 0] = 0.1
    pixels = images_of(tf.constant(spectrum), size).numpy()[0, ..., 0].astype("float64")
    wave = np.log(pixels / (1 - pixels))
    y, x = np.mgrid[:height, :width]
    frequency = np.hypot(2 / height, 1 / width)
    amplitude = 0.1 * 2 / np.sqrt(height * width) / 4 / frequency
    expected = amplitude * np.cos(2 * np.pi * (2 * y / height + x / width))
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_the_start_is_faint_grey_noise():
    start = start_spectra(np.arange(10), (32, 32, 3), 0)
    pixels = images_of(tf.constant(start), (32, 32)).numpy()
    assert pixels.shape == (10, 32, 32, 3)
    assert abs(pixels.mean() - 0.5) < 0.01 and 0.001 < pixels.std() < 0.1


def test_shifts_move_images_and_mirror_the_border():
    images = np.random.default_rng(0).random((2, 6, 7, 3), "float32")
    moved = shifted(images, np.array([2, -1])).numpy()
    np.testing.assert_array_equal(moved[:, 2:, :-1], images[:, :-2, 1:])  # down, and to the left
    np.testing.assert_array_equal(moved[:, 1, :-1], images[:, 1, 1:])
    np.testing.assert_array_equal(moved[:, 2:, -1], images[:, :-2, -2])
    np.testing.assert_array_equal(shifted(images, np.array([0, 0])), images)
    drawn = draw_shifts((32, 16, 3), 500, 0)
    assert set(drawn[:, 0]) == set(range(-4, 5)) and set(drawn[:, 1]) == set(range(-2, 3))
