"""One evaluator, held against sklearn and a count by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from kcnn import models
from kcnn.evaluation import TTA, NotFinite, agreement, evaluate
from kcnn.evaluation.views import averaged


def dataset(count=103, classes=7, batch=10, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    labels = rng.integers(0, classes, count).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch), images, labels


def some_logits(images):
    """A fixed function of the pixels."""
    weights = np.random.default_rng(1).normal(size=(48, 7)) / 1000
    return (images.reshape(len(images), -1) @ weights).astype(np.float32)


def test_the_scores_are_sklearns():
    data, images, labels = dataset()
    evaluation = evaluate(some_logits, data, expected_count=103)
    logits = some_logits(images).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = logits.argmax(axis=1)
    assert evaluation.count == 103
    assert evaluation.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert evaluation.top5_accuracy == pytest.approx(top_k_accuracy_score(labels, logits, k=5))
    assert evaluation.loss == pytest.approx(log_loss(labels, probabilities), rel=1e-9)
    for index in range(7):
        of_class = labels == index
        assert evaluation.per_class[index] == pytest.approx((predicted[of_class] == index).mean())
        for other in range(7):
            assert evaluation.confusion[index, other] == (predicted[of_class] == other).sum()


def test_the_score_does_not_depend_on_the_batching():
    scores = [evaluate(some_logits, dataset(batch=batch)[0]) for batch in (1, 10, 103)]
    assert len({(score.accuracy, round(score.loss, 12), score.count) for score in scores}) == 1


def test_a_data_set_cut_short_is_an_error():
    data, *_ = dataset()
    with pytest.raises(RuntimeError, match="Scored 100 images, expected 103"):
        evaluate(some_logits, data.take(10), expected_count=103)
    with pytest.raises(RuntimeError, match="Scored 0 images"):
        evaluate(some_logits, data.take(0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_have_no_score(value):
    def broken(images):
        logits = some_logits(images)
        logits[0, 2] = value
        return logits

    with pytest.raises(NotFinite, match="NaN or infinite for 11 of 103 images: its training"):
        evaluate(broken, dataset()[0])


def test_more_classes_than_labels_seen_and_fewer_than_five():
    data = tf.data.Dataset.from_tensors((np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 0])))
    evaluation = evaluate(lambda images: np.array([[3.0, 1, 2]] * len(images)), data)
    assert evaluation.accuracy == 1
    assert evaluation.top5_accuracy == 1
    assert evaluation.per_class == (1, 0, 0)


def test_a_model_its_file_and_its_function_score_the_same(tmp_path):
    model = models.lenet5()
    path = models.save(model, tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 32, 32, 3), np.uint8)
    data = tf.data.Dataset.from_tensor_slices((images, np.arange(20) % 10)).batch(8)
    direct = evaluate(model, data)
    assert evaluate(str(path), data).loss == pytest.approx(direct.loss, rel=1e-6)
    function = evaluate(lambda batch: keras.ops.convert_to_numpy(model(batch)), data)
    assert function.loss == pytest.approx(direct.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.keras", None, "There is no file"),
        ("model.keras", b"not a zip", "is not a .keras model"),
        ("model.h5", b"\x89HDF", "is not a .keras model"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        evaluate(tmp_path / name, dataset()[0])
    with pytest.raises(ValueError, match="is a folder: name the file of a model in it"):
        evaluate(tmp_path, dataset()[0])


def test_a_truncated_model_file_is_refused_in_one_line(tmp_path):
    path = models.save(models.lenet5(), tmp_path / "model.keras")
    content = path.read_bytes()
    for cut in (len(content) // 2, len(content) - 10):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match="model.keras") as caught:
            models.load(path)
        assert "\n" not in str(caught.value)


def test_a_model_for_other_classes_is_refused():
    with pytest.raises(ValueError, match="predicts 3 classes, the data have label 6"):
        evaluate(lambda images: np.zeros((len(images), 3)), dataset()[0])


def moved(image, down, right):
    """The image moved by a pixel or none; what comes in repeats the pixels inside the border."""
    height, width, _ = image.shape

    def source(length, by):
        return [abs(i) if i < length else 2 * length - 2 - i for i in range(-by, length - by)]

    return image[source(height, down)][:, source(width, right)]


def test_the_views_and_their_weights_are_those_of_airbench():
    _, images, _ = dataset(count=7)
    logits = np.zeros((3, 7, 7))
    for image, (none, flip, flip_shift) in zip(images, logits.swapaxes(0, 1), strict=True):
        straight, shifted = [image], [moved(image, 1, 1), moved(image, -1, -1)]
        for views, mean in ((straight, none), (shifted, flip_shift)):
            mean += np.mean([some_logits(view[None])[0] for view in views], axis=0)
        mirrored = [
            np.mean([some_logits(view[None, :, ::-1])[0] for view in views], axis=0)
            for views in (straight, shifted)
        ]
        flip += (none + mirrored[0]) / 2
        flip_shift += mirrored[1]
        flip_shift /= 4
        flip_shift += flip / 2
    for name, expected in zip(("none", "flip", "flip_shift"), logits, strict=True):
        np.testing.assert_allclose(averaged(some_logits, name)(images), expected, rtol=1e-6)


def test_each_view_is_an_ordinary_batch():
    seen = []

    def predict(images):
        assert images.dtype == np.uint8 and images.flags.c_contiguous
        seen.append(images.shape)
        return some_logits(images)

    data, *_ = dataset()
    for name, views in (("none", 1), ("flip", 2), ("flip_shift", 6)):
        seen.clear()
        evaluation = evaluate(predict, data, expected_count=103, tta=name)
        assert (evaluation.tta, evaluation.count) == (name, 103)
        assert len(seen) == views * 11 and set(seen) == {(10, 4, 4, 3), (3, 4, 4, 3)}


def test_only_the_least_sure_quarter_is_averaged():
    data, *_ = dataset()
    names = ("none", "flip_shift", "flip_shift_unsure")
    plain, full, partly = (evaluate(some_logits, data, tta=name).logits for name in names)
    odds = np.exp(plain - plain.max(axis=1, keepdims=True))
    least = np.argsort(odds.max(axis=1) / odds.sum(axis=1))[:26]  # of 103
    expected = plain.copy()
    expected[least] = full[least]
    np.testing.assert_allclose(partly, expected, rtol=1e-5)
    assert not np.allclose(plain[least], full[least], rtol=1e-3)
    seen = []

    def predict(images):
        seen.append(len(images))
        return some_logits(images)

    assert evaluate(predict, data, tta="flip_shift_unsure").tta == "flip_shift_unsure"
    assert sum(seen) == 103 + 6 * 26 == pytest.approx(103 * TTA["flip_shift_unsure"], rel=0.01)
    assert max(seen) == 10  # the size of the data set's batches


def test_flip_changes_nothing_for_a_model_that_sees_no_sides():
    data, *_ = dataset()

    def symmetric(images):
        return some_logits(images) + some_logits(images[:, :, ::-1])

    plain, flipped = (evaluate(symmetric, data, tta=name) for name in ("none", "flip"))
    assert flipped.loss == pytest.approx(plain.loss, rel=1e-6)
    assert (flipped.confusion == plain.confusion).all()
    assert evaluate(some_logits, data, tta="flip").loss != pytest.approx(
        evaluate(some_logits, data).loss, rel=1e-4
    )


def test_tta_is_the_same_for_a_model_and_its_file(tmp_path):
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(7)]
    )
    data, *_ = dataset(count=12)
    path = models.save(model, tmp_path / "model.keras")
    expected = evaluate(
        lambda batch: keras.ops.convert_to_numpy(model(batch)), data, tta="flip_shift"
    )
    for form in (model, path):
        assert evaluate(form, data, tta="flip_shift").loss == pytest.approx(expected.loss, rel=1e-5)


def test_an_unknown_tta_names_the_closest():
    with pytest.raises(ValueError, match=r"Unknown test-time augmentation 'flop'.*'flip'"):
        evaluate(some_logits, dataset()[0], tta="flop")


def shifted_logits(images):
    """Other logits than `some_logits` gives, which agree on most images."""
    return some_logits(images) + np.linspace(-0.3, 0.3, 7, dtype=np.float32)


@pytest.mark.parametrize("batch", [10, 103])
def test_an_agreement_is_what_numpy_counts(batch):
    data, images, labels = dataset(batch=batch)
    first, second = (f(images).astype(np.float64) for f in (some_logits, shifted_logits))
    found = agreement(some_logits, shifted_logits, data, expected_count=103)
    same = [np.argmax(a) == np.argmax(b) for a, b in zip(first, second, strict=True)]
    assert found.count == 103 and 0 < sum(same) < 103
    assert found.share == pytest.approx(sum(same) / 103)
    assert found.first_accuracy == pytest.approx(accuracy_score(labels, first.argmax(axis=1)))
    assert found.second_accuracy == pytest.approx(accuracy_score(labels, second.argmax(axis=1)))
    assert found.mean_difference == pytest.approx(np.mean(np.abs(first - second)))
    assert found.largest_difference == pytest.approx(np.max(np.abs(first - second)))


def test_a_model_agrees_with_itself_and_the_scores_are_those_of_evaluate(tmp_path):
    flat = [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(7)]
    model, (data, *_) = keras.Sequential(flat), dataset()
    path = models.save(model, tmp_path / "model.keras")
    itself = agreement(model, path, data)
    assert itself.share == 1 and itself.largest_difference == pytest.approx(0, abs=1e-4)
    assert itself.first_accuracy == itself.second_accuracy == evaluate(model, data).accuracy


def test_both_models_see_the_same_images_of_a_data_set_that_shuffles():
    data, *_ = dataset(batch=103)
    shuffled = data.unbatch().shuffle(103, reshuffle_each_iteration=True).batch(10)
    found = agreement(some_logits, some_logits, shuffled)
    assert (found.share, found.largest_difference) == (1, 0)


def test_an_agreement_of_nothing_or_of_other_classes_is_refused():
    data, *_ = dataset()
    with pytest.raises(RuntimeError, match="Scored 100 images, expected 103"):
        agreement(some_logits, some_logits, data.take(10), expected_count=103)
    with pytest.raises(ValueError, match="same classes. Received: models of 7 and 9 classes"):
        agreement(some_logits, lambda images: np.zeros((len(images), 9)), data)
