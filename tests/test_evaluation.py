"""One evaluator, held against sklearn and a count by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from kcnn import models
from kcnn.evaluation import evaluate


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


def test_a_truncated_model_file_is_refused_in_one_line(tmp_path):
    path = models.save(models.lenet5(), tmp_path / "model.keras")
    content = path.read_bytes()
    for cut in (len(content) // 2, len(content) - 10):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match="model.keras") as caught:
            models.load(path)
        assert "\n" not in str(caught.value)


def test_a_model_for_other_classes_is_refused():
    with pytest.raises(ValueError, match="tells 3 classes, the data have label 6"):
        evaluate(lambda images: np.zeros((len(images), 3)), dataset()[0])
