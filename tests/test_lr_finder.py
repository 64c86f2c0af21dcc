"""The range test: it rises, stops, suggests a rate that trains, and leaves the model alone."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.report.lr_plot import learning_rates_figure, plot_learning_rates
from kcnn.training import cosine, find_learning_rate, make_optimizer


@pytest.fixture(scope="module")
def digits():
    return kcnn.data.load("digits", batch_size=32, augment="none", limit=640)


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(16, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(10, name="logits"),
        ]
    )


@pytest.fixture(scope="module")
def curve(digits):
    return find_learning_rate(network(), digits, smallest=1e-4, largest=1e4, steps=80)


def test_the_rate_rises_exponentially_until_the_loss_explodes(curve):
    assert len(curve.rates) == len(curve.losses) == len(curve.smoothed) < 80
    np.testing.assert_allclose(curve.rates[1:] / curve.rates[:-1], 1e8 ** (1 / 79), rtol=1e-6)
    assert curve.rates[0] == pytest.approx(1e-4)
    assert curve.smoothed[-1] > 4 * curve.smoothed.min()
    assert (curve.smoothed[:-1] <= 4 * np.minimum.accumulate(curve.smoothed)[:-1]).all()


def test_the_smoothed_losses_are_an_unbiased_average(curve):
    for last in (0, 1, 7, len(curve.losses) - 1):
        weights = 0.9 ** np.arange(last, -1, -1)
        expected = np.average(curve.losses[: last + 1], weights=weights)
        assert curve.smoothed[last] == pytest.approx(expected, rel=1e-6)


def test_each_loss_is_of_its_own_batch(digits):
    """At rates of nearly nothing they are the losses of one and the same network."""
    curve = find_learning_rate(network(), digits, smallest=1e-9, largest=1e-8, steps=30)
    model, loss = network(), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = [
        float(loss(labels, model(images, training=True)))
        for images, labels in digits.batches().take(30)
    ]
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-4)


def test_the_suggestion_is_a_tenth_of_the_lowest_point_and_trains(curve, digits):
    assert curve.suggestion == pytest.approx(curve.rates[curve.smoothed.argmin()] / 10)
    result = kcnn.train(
        network(), digits, epochs=4, optimizer="sgd", learning_rate=curve.suggestion
    )
    assert result.history["accuracy"][-1] > 0.8


def test_the_model_is_as_before(digits):
    model = network()
    model.compile("rmsprop", "mse")
    before, optimizer = model.get_weights(), model.optimizer
    find_learning_rate(model, digits, optimizer="adam", steps=20)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    assert model.optimizer is optimizer


def test_soft_labels_do_as_well():
    data = kcnn.data.load("digits", batch_size=32, augment="cutmix", limit=200)
    assert find_learning_rate(network(), data, steps=30).suggestion > 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"smallest": 1.0, "largest": 0.1}, ValueError, "smallest=1.0, largest=0.1"),
        ({"steps": 3}, ValueError, "steps=3"),
        ({"optimizer": "addam"}, ValueError, "Did you mean 'adam'"),
        (
            {"optimizer": make_optimizer("sgd", cosine(0.1, epochs=1, steps_per_epoch=9))},
            ValueError,
            "is a schedule",
        ),
        ({"smallest": 1e20, "largest": 1e30}, RuntimeError, "only rose from 1e.20"),
    ],
)
def test_what_cannot_be_found_is_refused(digits, options, error, message):
    with pytest.raises(error, match=message):
        find_learning_rate(network(), digits, **options)


def test_the_curve_is_drawn(curve, tmp_path):
    figure = learning_rates_figure(curve)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    raw, smoothed, mark = axes.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), curve.losses)
    np.testing.assert_array_equal(smoothed.get_ydata(), curve.smoothed)
    assert set(mark.get_xdata()) == {curve.suggestion}
    assert axes.get_ylim()[1] < curve.smoothed[-1] * 2  # an explosion must not flatten the rest
    plot_learning_rates(curve, tmp_path / "lr_find.png")
    assert (tmp_path / "lr_find.png").stat().st_size > 5000
