"""The pruning engine "keras": its masks against NumPy, its training taken up, what it refuses."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.compress import check_prune, prune
from kcnn.compress.masks import MaskPlan, kept_counts, two_to_four_mask, with_masks
from tests.mask_steps import network, zeros

L = keras.layers


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", batch_size=32, limit=160, augment="none")


def test_the_counts_follow_zhu_and_gupta():
    """Equation 1, rounded to the nearest count."""
    counts = kept_counts(977, 0.25, 0.9, 7)
    for number, count in enumerate(counts):
        sparsity = 0.9 + (0.25 - 0.9) * (1 - number / 7) ** 3
        assert abs(count - 977 * (1 - sparsity)) <= 0.501
    assert counts[-1] == round(0.1 * 977)
    assert kept_counts(10, 0.0, 0.999, 1) == (10, 1)  # never none
    assert kept_counts(40, 0.0, 0.5, 0) == (20,)


def largest(weights, count):
    """The mask of the `count` largest, by sorting."""
    order = np.argsort(-np.abs(weights).ravel(), kind="stable")
    mask = np.zeros(weights.size)
    mask[order[:count]] = 1
    return mask.reshape(weights.shape)


def test_every_step_is_a_step_of_sgd_and_a_mask():
    """Masks are chosen every second step, among the weights that the step has moved."""
    rng = np.random.default_rng(0)
    weights, frequency, counts = rng.normal(size=(3, 3, 4, 5)), 2, (120, 90, 60)
    mask = largest(weights, 150)
    kernel = keras.Variable((weights * mask).astype("float32"))
    free = keras.Variable(np.ones(4, "float32"))
    plans = [(kernel, MaskPlan(mask, counts))]
    sgd = keras.optimizers.SGD
    optimizer = with_masks(sgd, sgd, plans, frequency)(0.3)
    expected, returned = weights * mask, 0
    for step in range(1, 11):
        gradients = [rng.normal(size=kernel.shape), np.full(4, 0.5)]
        optimizer.apply(
            [keras.ops.convert_to_tensor(each, "float32") for each in gradients], [kernel, free]
        )
        moved = expected - 0.3 * gradients[0]
        if step % frequency == 0 and step // frequency <= len(counts):
            returned += np.count_nonzero(largest(moved, counts[step // 2 - 1]) > mask)
            mask = largest(moved, counts[step // 2 - 1])
        expected = moved * mask
        np.testing.assert_allclose(kernel.numpy(), expected, atol=1e-5)
        np.testing.assert_array_equal(kernel.numpy() == 0, mask == 0)
    np.testing.assert_allclose(free.numpy(), 1 - 10 * 0.3 * 0.5, rtol=1e-5)
    assert returned  # a zero that grew is a weight again, as with TF-MOT


def test_two_of_four_channels_are_left():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 10, 6))
    mask = two_to_four_mask(kernel)
    for start in (0, 4, 8):
        group = mask[:, :, start : start + 4]
        assert np.all(group.sum(axis=2) == 2)
        least = np.where(group == 1, np.abs(kernel[:, :, start : start + 4]), np.inf).min(axis=2)
        lost = np.where(group == 0, np.abs(kernel[:, :, start : start + 4]), 0).max(axis=2)
        assert np.all(least > lost)


class Watch(keras.callbacks.Callback):
    """Notes the zeros after every step, and stops in one if asked to."""

    def __init__(self, stop=None):
        super().__init__()
        self.stop, self.zeros = stop, []

    def on_train_batch_end(self, batch, logs=None):
        self.zeros.append(zeros(self.model))
        if len(self.zeros) == self.stop:
            raise InterruptedError


OPTIONS = {"sparsity": 0.7, "exclude": ("logits",), "epochs": 4, "engine": "keras"}


def test_zeros_rise_stay_and_the_rest_trains(data):
    model, watch = network(), Watch()
    before = [np.array(weight) for weight in model.get_weights()]
    result = prune(model, data, callbacks=[watch], **OPTIONS)
    for old, kept in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)  # the model is not changed
    steps = 4 * data.steps_per_epoch
    for name, kernel in (("conv", 3 * 3 * 3 * 8), ("hidden", 8 * 36 * 16)):
        counts = [each[name] for each in watch.zeros]
        assert len(counts) == steps and counts == sorted(counts)
        assert counts[-1] == kernel - kept_counts(kernel, 0, 0.7, 1)[-1]
        # Half of the training is for recovery.
        assert counts[steps // 2 - 1] == counts[-1] > counts[0]
    assert watch.zeros[-1]["logits"] == 0 and zeros(result.model) == watch.zeros[-1]
    for old, new in zip(before, result.model.get_weights(), strict=True):
        assert np.mean((old != new)[new != 0]) > 0.5  # some of its units are dead
    assert result.engine == "keras" and not result.model.compiled
    assert result.history["sparsity"][-1] == pytest.approx(result.sparsity)
    assert type(result.model) is type(model)
    with pytest.raises(ValueError, match="already .* zeros"):
        prune(result.model, data, **OPTIONS)


def test_a_training_that_was_stopped_is_taken_up(data, tmp_path):
    whole = prune(network(), data, **OPTIONS)
    for _ in range(2):  # the second time in what the first has left
        with pytest.raises(InterruptedError):
            stop = Watch(stop=data.steps_per_epoch + 2)
            prune(network(), data, resume=tmp_path, callbacks=[stop], **OPTIONS)
    resumed = prune(network(), data, resume=tmp_path, callbacks=[Watch()], **OPTIONS)
    for mine, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(mine == 0, theirs == 0)
    with pytest.raises(ValueError, match="The kept state is of a training with"):
        prune(network(), data, resume=tmp_path, **OPTIONS | {"sparsity": 0.6})


def test_a_frozen_layer_is_pruned_at_once(data):
    model = network()
    model.get_layer("conv").trainable = False
    frozen = np.array(model.get_layer("conv").kernel)
    kernel = np.array(prune(model, data, **OPTIONS | {"epochs": 1}).model.get_layer("conv").kernel)
    count = kept_counts(kernel.size, 0, 0.7, 1)[-1]
    np.testing.assert_allclose(kernel, frozen * largest(frozen, count))


def test_jax_data_and_the_wrong_engine_are_refused(data):
    arrays = kcnn.data.JaxData(kcnn.data.load_arrays("digits", limit=160), 32)
    with pytest.raises(ValueError, match="pass engine='keras' for JaxData"):
        check_prune(network(), arrays)
    with pytest.raises(ValueError, match="Unknown engine 'tf'. .*Known: keras, tfmot"):
        prune(network(), data, engine="tf")
    for options in ({"callbacks": [Watch()]}, {"resume": "folder"}):
        with pytest.raises(ValueError, match="needs engine='keras'"):
            prune(network(), data, **options)
    # Keras 2 has no such layer: no obstacle for this engine.
    model = keras.Sequential([keras.Input((32, 32, 3)), L.Rescaling(1 / 255), L.Flatten()])
    model.add(L.RMSNormalization())
    model.add(L.Dense(10, name="logits"))
    check_prune(model, data, engine="keras")
    with pytest.raises(ValueError, match="RMSNormalization"):
        check_prune(model, data)
