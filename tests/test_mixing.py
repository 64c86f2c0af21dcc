"""mixup and CutMix against the papers' own loops, and soft labels that tell what is in an image."""

import numpy as np
import pytest
import tensorflow as tf

import kcnn.data
from kcnn.data import AUGMENTATIONS
from kcnn.data.mixing import cutmix, mixing, mixup

MIXED = ("mixup", "cutmix")
CLASSES = 5
LEVELS = np.array([0, 50, 100, 150, 250])


def seed(number):
    return tf.constant([number, 0], tf.int64)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def plain_images(count, height=32, width=32):
    """Images of one gray each, which shows the class."""
    labels = np.random.default_rng(1).integers(0, CLASSES, count).astype(np.int32)
    gray = LEVELS[labels].astype(np.uint8)
    return np.tile(gray[:, None, None, None], (1, height, width, 1)), labels


def test_mixup_is_the_papers_equation():
    first, second = noise(2, 40, 6, 5, 3)
    share = np.linspace(0, 1, 40, dtype=np.float32)
    received = mixup(tf.constant(first), tf.constant(second), tf.constant(share)).numpy()
    assert received.dtype == np.uint8
    assert (received[-1] == first[-1]).all() and (received[0] == second[0]).all()
    for a, b, part, mixed in zip(first, second, share.astype(np.float64), received, strict=True):
        assert np.abs(mixed - (part * a + (1 - part) * b)).max() < 0.5 + 1e-4


@pytest.mark.parametrize("shape", [(32, 32, 3), (6, 11, 1)])
def test_cutmix_is_the_papers_loop(shape):
    count, (height, width, _) = 400, shape
    random = np.random.default_rng(2)
    first, second = noise(2, count, *shape)
    share = random.random(count, np.float32)
    share[:2] = 0, 1
    rows, columns = random.integers(0, height, count), random.integers(0, width, count)
    center = np.array([rows, columns], np.int32)
    received, remaining = cutmix(*map(tf.constant, (first, second, share, center)))
    for i in range(count):
        side = np.sqrt(1 - share[i])
        tall, wide = int(height * side), int(width * side)
        top, left = rows[i] - tall // 2, columns[i] - wide // 2
        box = (
            slice(max(top, 0), min(top + tall, height)),
            slice(max(left, 0), min(left + wide, width)),
        )
        expected = first[i].copy()
        expected[box] = second[i][box]
        assert (received[i].numpy() == expected).all(), i
        area = expected[box][..., 0].size
        assert remaining[i].numpy() == pytest.approx(1 - area / (height * width), abs=1e-6)
    assert (received[1].numpy() == first[1]).all() and remaining[1] == 1


@pytest.mark.parametrize("name", MIXED)
def test_soft_labels_are_the_shares_of_the_classes_in_each_image(name):
    images, labels = plain_images(512, 16, 24)
    mixed, soft = mixing(name, CLASSES)(tf.constant(images), tf.constant(labels), seed(0))
    mixed, soft = mixed.numpy(), soft.numpy()
    assert mixed.dtype == np.uint8 and soft.dtype == np.float32 and soft.shape == (512, CLASSES)
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)
    assert soft.min() >= 0 and ((soft > 0).sum(axis=1) <= 2).all()
    # With a gray for every class, the mean of an image is that of its classes.
    tolerance = 0.5 if name == "mixup" else 1e-3
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), soft @ LEVELS, atol=tolerance)
    if name == "cutmix":
        for gray, part in zip(LEVELS, soft.T, strict=True):
            np.testing.assert_allclose((mixed == gray).mean(axis=(1, 2, 3)), part, atol=1e-6)


def own_shares(name, count):
    """The share that each image keeps of itself: with a class of its own, its own label's."""
    images = tf.zeros([count, 32, 32, 1], tf.uint8)
    _, soft = mixing(name, count)(images, tf.range(count), seed(7))
    soft = soft.numpy()
    return np.diag(soft), soft


@pytest.mark.parametrize("name", MIXED)
def test_every_image_has_its_own_partner_and_share(name):
    own, soft = own_shares(name, 2000)
    received = soft - np.diag(own)
    givers = received.argmax(axis=1)[received.any(axis=1)]
    assert len(givers) > 1900 and len(set(givers)) == len(givers)
    assert abs(np.corrcoef(givers, np.flatnonzero(received.any(axis=1)))[0, 1]) < 0.1
    assert len(np.unique(own)) > (1900 if name == "mixup" else 200)


def test_the_shares_of_mixup_are_uniform():
    own, _ = own_shares("mixup", 4000)
    counts, _ = np.histogram(own, bins=10, range=(0, 1))
    assert (np.abs(counts - 400) < 5 * np.sqrt(400)).all()


def test_the_shares_of_cutmix_are_uniform_but_for_the_border():
    own, _ = own_shares("cutmix", 4000)
    random = np.random.default_rng(0)
    side = np.floor(32 * np.sqrt(random.random(100_000))).astype(int)

    def visible():
        start = random.integers(0, 32, len(side)) - side // 2
        return np.minimum(start + side, 32) - np.maximum(start, 0)

    expected = 1 - visible() * visible() / 32**2
    assert own.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert own.std() == pytest.approx(expected.std(), abs=0.02)


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - set(MIXED)))
def test_the_others_mix_nothing(name):
    images, labels = plain_images(8)
    received = mixing(name, CLASSES)(images, labels, seed(0))
    assert received[0] is images and received[1] is labels


def load(name, seed=0):
    """Return the data and two epochs of them."""
    data = kcnn.data.load("digits", augment=name, batch_size=32, limit=100, seed=seed)
    return data, [(images.numpy(), labels.numpy()) for images, labels in data.train.repeat(2)]


@pytest.mark.parametrize("name", MIXED)
def test_loaded_data_have_soft_labels_in_training_only(name):
    data, batches = load(name)
    images, labels = data.train.element_spec
    assert images.shape == (32, 32, 32, 3) and images.dtype == tf.uint8
    assert labels.shape == (32, 10) and labels.dtype == tf.float32
    for part in (data.validation, data.test, data.calibration):
        assert part.element_spec[1].dtype == tf.int32
    for ours, same in zip(batches, load(name)[1], strict=True):
        assert all((a == b).all() for a, b in zip(ours, same, strict=True))
    (first, soft), (next_epoch, next_soft) = batches[0], batches[data.steps_per_epoch]
    assert (first != next_epoch).any() and (soft != next_soft).any()


@pytest.mark.parametrize("name", MIXED)
def test_what_is_mixed_is_the_standard_batch(name):
    _, plain = load("standard")
    _, mixed = load(name)
    for (images, labels), (mixed_images, soft) in zip(plain, mixed, strict=True):
        distance = np.abs(mixed_images.astype(float) - images)
        given = 1 - soft[np.arange(32), labels]
        other_class = given > 0
        assert other_class.sum() > 20
        if name == "mixup":
            within = distance.max(axis=(1, 2, 3)) <= 255 * given + 0.5
        else:
            within = (distance > 0).any(axis=-1).mean(axis=(1, 2)) <= given + 1e-6
        assert within[other_class].all()
