"""Every augmentation against an independent reference, image by image."""

import math
import zlib

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image, ImageEnhance

from kcnn.data import AUGMENTATIONS
from kcnn.data.augment import augmentation
from kcnn.data.operations import BORDER
from kcnn.data.pixels import adjust_color, centers, crop, cutout, resample, rotate

WINDOWS = 2 * BORDER + 1


def seed(number):
    return tf.constant([number, 0], tf.int64)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(32, 32, 3), (12, 20, 1)])
def test_crop_cuts_each_window_out_of_the_black_border(shape):
    height, width, channels = shape
    top, left, mirrored = (g.ravel() for g in np.indices((WINDOWS, WINDOWS, 2), np.int32))
    images = noise(len(top), *shape)
    cropped = crop(tf.constant(images), top, left, mirrored.astype(bool)).numpy()
    padded = np.zeros((len(top), height + 2 * BORDER, width + 2 * BORDER, channels), np.uint8)
    padded[:, BORDER:-BORDER, BORDER:-BORDER] = images
    for i in range(len(top)):
        window = padded[i, top[i] : top[i] + height, left[i] : left[i] + width]
        assert (cropped[i] == (window[:, ::-1] if mirrored[i] else window)).all(), i


@pytest.mark.parametrize(
    ("name", "mirror", "mirrored"),
    [("shift", True, 0), ("standard", True, 0.5), ("standard", False, 0)],
)
def test_every_image_draws_its_own_window_and_mirror(name, mirror, mirrored):
    count, size = 20_000, WINDOWS
    image = np.arange(1, size * size + 1, dtype=np.uint8).reshape(1, size, size, 1)
    images = np.repeat(image, count, axis=0)
    turned = tf.zeros(count, tf.bool)
    changed = augmentation(name, mirror=mirror)(tf.constant(images), seed(3), turned).numpy()
    # The middle of a window stays where it is when mirrored, and names the window's corner.
    top, left = np.divmod(changed[:, BORDER, BORDER, 0].astype(np.int32) - 1, size)
    no = np.zeros(count, bool)
    straight = crop(tf.constant(images), top, left, no).numpy()
    flipped = crop(tf.constant(images), top, left, ~no).numpy()
    is_straight = (changed == straight).all(axis=(1, 2, 3))
    is_flipped = (changed == flipped).all(axis=(1, 2, 3))
    assert (is_straight | is_flipped).all()
    assert abs(is_flipped.mean() - mirrored) < 0.02
    drawn = np.bincount(top * WINDOWS + left, minlength=WINDOWS**2)
    expected = count / WINDOWS**2
    assert (np.abs(drawn - expected) < 5 * math.sqrt(expected)).all()


def test_rotate_agrees_with_scipy():
    angles = np.radians([-15, -7.3, 0.5, 15, 90]).astype(np.float32)
    images = noise(len(angles), 24, 24, 3).astype(np.float32)
    rotated = rotate(tf.constant(images), tf.constant(angles)).numpy()
    for image, angle, received in zip(images, angles, rotated, strict=True):
        cos, sin = math.cos(angle), math.sin(angle)
        # scipy's axes are (row, column); the matrix leads from the result to the image.
        matrix = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        middle = np.array([11.5, 11.5, 0])
        expected = scipy.ndimage.affine_transform(
            image, matrix, middle - matrix @ middle, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(received, expected, atol=0.05)
    np.testing.assert_allclose(rotated[-1], np.rot90(images[-1]), atol=0.05)


@pytest.mark.parametrize(
    ("step", "enhance"),
    [(0, ImageEnhance.Brightness), (1, ImageEnhance.Contrast), (2, ImageEnhance.Color)],
)
def test_each_color_step_agrees_with_pillow(step, enhance):
    factors = np.ones((3, 20), np.float32)
    factors[step] = np.linspace(0.8, 1.2, 20)
    images = noise(20, 16, 16, 3)
    received = adjust_color(tf.constant(images, tf.float32), *factors).numpy()
    for i, image in enumerate(images):
        expected = enhance(Image.fromarray(image)).enhance(factors[step, i])
        # Pillow rounds the gray it mixes in and truncates the result.
        assert np.abs(received[i] - np.asarray(expected) - 0.5).max() < 0.75


def test_color_steps_follow_each_other():
    images = tf.constant(noise(20, 16, 16, 3), tf.float32)
    one = np.ones(20, np.float32)
    factors = np.random.default_rng(1).uniform(0.8, 1.2, (3, 20)).astype(np.float32)
    expected = images
    for step in range(3):
        expected = adjust_color(expected, *(factors[k] if k == step else one for k in range(3)))
    np.testing.assert_allclose(adjust_color(images, *factors), expected, atol=1e-3)


def test_resample_agrees_with_scipy():
    images = noise(3, 20, 30, 3).astype(np.float32)
    start = np.array([[0, 2.5, 7], [0, 4, -3]], np.float32)
    seen = np.array([[20, 10, 5], [30, 24.5, 40]], np.float32)
    received = resample(tf.constant(images), start, seen, fill_mode="NEAREST").numpy()
    for number, image in enumerate(images):
        scale = seen[:, number] / [20, 30]
        offset = start[:, number] + scale / 2 - 0.5
        expected = scipy.ndimage.affine_transform(
            image, [*scale, 1], [*offset, 0], order=1, mode="nearest"
        )
        np.testing.assert_allclose(received[number], expected, atol=0.05)
    np.testing.assert_allclose(received[0], images[0], atol=0.05)


@pytest.mark.parametrize("name", ["zoom", "resized_crop"])
def test_zoom_and_resized_crop_stay_within_their_ranges(name):
    height, width = 48, 64
    ramps = np.stack(np.meshgrid(np.arange(width), np.arange(height))[::-1] * 2, -1)[..., :3]
    images = tf.constant(np.repeat(2 * ramps[None] + 60, 400, axis=0).astype(np.uint8))
    changed = augmentation(name)(images, seed(2), tf.zeros(400, tf.bool)).numpy().astype(float)
    middle = changed[:, 20:28, 28:36]
    rows = (middle[:, -1, 4, 0] - middle[:, 0, 4, 0]) / 14  # share of the image that is seen
    columns = (middle[:, 4, -1, 1] - middle[:, 4, 0, 1]) / 14
    assert len(np.unique(changed, axis=0)) > 300
    if name == "zoom":
        np.testing.assert_allclose(rows, columns, atol=0.15)
        assert 0.7 < rows.min() < 0.9 and 1.15 < rows.max() < 1.35
        assert (changed == 0).any()
    else:
        assert (changed >= 60).all()  # nothing from outside the image
        assert rows.max() <= 1.08 and columns.max() <= 1.08
        assert 0.03 < (rows * columns).min() < 0.2 and (rows * columns).max() > 0.8


def test_saturation_leaves_gray_images_alone():
    gray = tf.constant(noise(4, 8, 8, 1), tf.float32)
    one = tf.ones(4)
    np.testing.assert_allclose(adjust_color(gray, one, one, 0.8 * one), gray, atol=1e-3)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_augmentation_is_a_function_of_images_and_seed(name, channels):
    images = tf.constant(np.repeat(noise(1, 32, 32, channels), 16, axis=0))
    augment = augmentation(name)
    turned = tf.constant([True, False] * 8)
    first, again, other = (augment(images, seed(s), turned).numpy() for s in (0, 0, 1))
    assert first.shape == images.shape and first.dtype == np.uint8
    assert (first == again).all()
    assert (first == other).all() == (name == "none")
    different = len(np.unique(first, axis=0))
    assert different == 1 if name == "none" else different > 10


def test_strong_stays_within_its_ranges():
    images = tf.fill([512, 33, 33, 3], tf.constant(100, tf.uint8))
    changed = augmentation("strong")(images, seed(0), tf.zeros(512, tf.bool))
    middle = changed.numpy()[:, 16, 16].astype(int)
    assert 78 <= middle.min() < 85 and 115 < middle.max() <= 125
    assert (np.ptp(middle, axis=1) <= 1).all()  # A gray pixel stays gray.


@pytest.mark.parametrize("shape", [(32, 32, 3), (7, 12, 1)])
def test_cutout_is_that_of_the_papers_code(shape):
    height, width, _ = shape
    rows, columns = (g.ravel() for g in np.indices((height, width), np.int32))
    images = np.maximum(noise(len(rows), *shape), 1)
    received = cutout(tf.constant(images), tf.constant([rows, columns])).numpy()
    length = min(height, width) // 2
    for image, row, column, holed in zip(images, rows, columns, received, strict=True):
        expected = image.copy()
        top, left = row - length // 2, column - length // 2
        expected[max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
        assert (holed == expected).all(), (row, column)


def test_holes_fall_on_every_pixel_alike():
    count, height, width = 20_000, 8, 12
    images = tf.fill([count, height, width, 1], tf.constant(255, tf.uint8))
    rows, columns = centers(images, seed(5)).numpy()
    drawn = np.bincount(rows * width + columns, minlength=height * width)
    expected = count / (height * width)
    assert (np.abs(drawn - expected) < 5 * math.sqrt(expected)).all()


def test_cutout_is_standard_with_a_hole_in_each_image():
    images = tf.fill([1000, 32, 32, 1], tf.constant(9, tf.uint8))
    standard, holed = (
        augmentation(name)(images, seed(1), tf.zeros(1000, tf.bool)).numpy()
        for name in ("standard", "cutout")
    )
    hole = (standard != holed).any(axis=-1)
    assert (holed[hole] == 0).all() and (standard[hole] == 9).all()
    # Of 16 rows, a center in row r leaves min(r + 8, 32) - max(r - 8, 0); the border hides some.
    visible = np.mean([min(r + 8, 32) - max(r - 8, 0) for r in range(32)])
    black = (holed == 0).all(axis=-1).mean() - (standard == 0).all(axis=-1).mean()
    whole = visible**2 / 32**2
    assert 0.8 * whole < black < whole
    assert len(np.unique(hole, axis=0)) > 500


def test_unknown_augmentation_names_the_closest():
    with pytest.raises(ValueError, match=r"Unknown augmentation 'standart'.*'standard'"):
        augmentation("standart")


@pytest.mark.parametrize(
    ("name", "checksum"),
    [
        ("none", 3204668684),
        ("shift", 1736575083),
        ("standard", 3055955706),
        ("alternating", 1759500132),
        ("cutout", 3915198123),
    ],
)
def test_a_seed_gives_the_same_images_as_in_earlier_versions(name, checksum):
    """So that a stopped training goes on with them, and a run can be repeated."""
    images, turned = tf.constant(noise(16, 20, 24, 3)), tf.constant([True, False] * 8)
    changed = augmentation(name)(images, tf.constant([3, 4], tf.int64), turned).numpy()
    assert zlib.crc32(changed.tobytes()) == checksum
