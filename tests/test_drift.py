"""How far heat maps moved, against maps and models of which it is known."""

import keras
import numpy as np
import pytest
from small_models import gap_model, images

import kcnn
from kcnn.explain import Heatmaps, drift
from kcnn.export import export_tflite

BATCH = images(40)


def heatmaps(raw, class_index=0, layer="relu"):
    raw = np.asarray(raw, np.float32)
    return Heatmaps(raw, np.full(len(raw), class_index), np.ones(len(raw)), layer)


def blobs(*centres, size=10):
    """Return maps [n, size, size] that fall off around each centre."""
    y, x = np.mgrid[:size, :size]
    return np.stack([np.exp(-((y - a) ** 2 + (x - b) ** 2) / 4) for a, b in centres])


@pytest.fixture(scope="module")
def model():
    return gap_model()


def test_nothing_moved(model):
    (still,) = drift(model, model, images=BATCH)
    for each, value in ((still.correlation, 1), (still.overlap, 1), (still.shift, 0)):
        assert (each.mean, each.low, each.high) == pytest.approx((value,) * 3)
    assert still.changed.mean == still.changed.low == 0
    # Wilson's upper end of 0 out of n is z^2 / (n + z^2).
    assert still.changed.high == pytest.approx(1.96**2 / (len(BATCH) + 1.96**2), rel=1e-4)


def test_strength_is_no_drift():
    maps = heatmaps(blobs((2, 3), (7, 7)))
    (moved,) = drift(maps, heatmaps(7 * maps.raw), images=np.zeros((2, 20, 20, 3), np.uint8))
    assert moved.correlation.low == pytest.approx(1) and moved.overlap.low == 1
    assert moved.shift.high == 0 and moved.changed is None and moved.left_out == 0


def test_the_peak_moves_in_pixels_of_the_image():
    before, after = heatmaps(blobs((2, 3), (7, 7))), heatmaps(blobs((5, 7), (7, 7)))
    (moved,) = drift(before, after, images=np.zeros((2, 20, 40, 3), np.uint8))
    shift = np.hypot(3 * 2, 4 * 4)  # a cell is 2 pixels high and 4 wide
    assert moved.shift.mean == pytest.approx(shift / 2)
    assert (moved.shift.low, moved.shift.high) == pytest.approx((0, shift))


def test_correlation_and_overlap_by_hand():
    random = np.random.default_rng(5)
    first, second = random.random((2, 30, 4, 5))
    (moved,) = drift(heatmaps(first), heatmaps(second), images=images(30))
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(first, second, strict=True)]
    correlations = [np.corrcoef(*pair)[0, 1] for pair in pairs]
    tops = [[set(np.argsort(each)[-4:]) for each in pair] for pair in pairs]  # a fifth of 20
    overlaps = [len(a & b) / len(a | b) for a, b in tops]
    assert moved.correlation.mean == pytest.approx(np.mean(correlations), abs=1e-6)
    assert moved.overlap.mean == pytest.approx(np.mean(overlaps))
    error = 1.96 * np.std(correlations) / np.sqrt(30)  # the bootstrap's is about as wide
    assert moved.correlation.mean - moved.correlation.low == pytest.approx(error, rel=0.2)
    assert moved.correlation.high - moved.correlation.mean == pytest.approx(error, rel=0.2)


def test_the_zeros_of_two_maps_do_not_count_as_overlap():
    first, second = np.zeros((2, 2, 10, 10))
    first[:, 0, 0], second[:, 9, 9] = 1, 1
    (moved,) = drift(heatmaps(first), heatmaps(second), images=images(2))
    assert moved.overlap.mean == 0


def test_maps_without_a_place_are_left_out():
    first, second = blobs((2, 3), (7, 7), (5, 5), (1, 1)), blobs((2, 3), (7, 7), (5, 5), (1, 1))
    first[2], second[3] = 0, 9
    (moved,) = drift(heatmaps(first), heatmaps(second), images=images(4))
    assert moved.left_out == 2 and moved.correlation.count == 2
    assert moved.correlation.mean == pytest.approx(1)
    (none,) = drift(heatmaps(0 * first), heatmaps(second), images=images(4))
    assert none.left_out == 4 and none.correlation.count == 0


def test_every_form_answers_for_the_class_that_the_reference_tells(model, tmp_path):
    pruned = keras.models.clone_model(model)
    pruned.set_weights([np.where(np.abs(w) < 0.2, 0, w) for w in model.get_weights()])
    logits = pruned.predict_on_batch(BATCH)
    second = np.argsort(logits.mean(axis=0))[-2]
    lead = np.median(logits.max(axis=1) - logits[:, second])
    pruned.layers[-1].bias.assign_add(lead * np.eye(5)[second])  # half of the answers change
    files = [tmp_path / "float.tflite", tmp_path / "int8.tflite"]
    export_tflite(model, files[0], quantization="none")
    export_tflite(model, files[1], calibration=images(32, seed=1))
    same, int8, other = drift(model, *files, pruned, images=BATCH)
    assert same.correlation.low == pytest.approx(1, abs=1e-6) and same.changed.mean == 0
    assert 0.99 < int8.correlation.mean < 0.99999
    assert other.correlation.mean < int8.correlation.mean

    predicted = kcnn.grad_cam(model, BATCH).class_index
    answers = pruned.predict_on_batch(BATCH).argmax(axis=1)
    assert other.changed.mean == pytest.approx((answers != predicted).mean()) == 0.5
    assert other.changed.low < 0.5 < other.changed.high
    ready = kcnn.grad_cam(pruned, BATCH, predicted)  # not of the classes that it predicts itself
    (again,) = drift(model, ready, images=BATCH)
    assert again.correlation == other.correlation and again.shift == other.shift


@pytest.mark.parametrize(
    ("first", "second", "count", "message"),
    [
        (heatmaps(blobs((1, 1))), heatmaps(blobs((1, 1))), 1, "two images"),
        (heatmaps(blobs((1, 1))), heatmaps(blobs((1, 1))), 2, "of 2 images"),
        (
            heatmaps(blobs((1, 1), (2, 2))),
            heatmaps(blobs((1, 1), (2, 2), size=5), layer="conv"),
            2,
            r"\(2, 10, 10\) at layer 'relu' and \(2, 5, 5\) at layer 'conv'",
        ),
        (heatmaps(blobs((1, 1), (2, 2))), heatmaps(blobs((1, 1), (2, 2)), 1), 2, "class_index"),
        (heatmaps(blobs((1, 1), (2, 2))), 3, 2, "Received: int"),
    ],
)
def test_what_does_not_compare_is_refused(first, second, count, message):
    with pytest.raises(ValueError, match=message):
        drift(first, second, images=images(count))
