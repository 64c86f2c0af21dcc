"""RandAugment: each operation against Pillow's, and which images get which."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from kcnn.data import from_arrays, jax_augment, jax_rand_augment, rand_augment
from kcnn.data.augment import augmentation
from kcnn.data.rand_operations import NAMES
from kcnn.data.tf_rand_augment import OPERATIONS

SIZE = (24, 20)
SEED = tf.constant([3, 5], tf.int64)


def photographs(count=6, channels=3):
    """Return smooth images of different contrast, uint8."""
    random = np.random.default_rng(0)
    coarse = random.uniform(20, 235, (count, 4, 4, channels))
    images = tf.image.resize(coarse, SIZE, "bicubic").numpy()
    images = 120 + (images - 120) * random.uniform(0.2, 1.2, (count, 1, 1, 1))
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def moved(image, matrix):
    """Show at each pixel, from the center, the pixel of `image` at `matrix` (x, y, 1)."""
    x, y = (SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2
    a, b, c, d, e, f = matrix
    # Pillow's coordinates begin at the corner of a pixel.
    x, y = x + 0.5, y + 0.5
    coefficients = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
    size = image.size
    return image.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)


def rotated(image, strength):
    angle = np.radians(30 * strength)
    cos, sin = np.cos(angle), np.sin(angle)
    return moved(image, (cos, -sin, 0, sin, cos, 0))


PILLOW = {
    "nothing": lambda image, strength: image,
    "shear_x": lambda image, strength: moved(image, (1, 0.3 * strength, 0, 0, 1, 0)),
    "shear_y": lambda image, strength: moved(image, (1, 0, 0, 0.3 * strength, 1, 0)),
    "shift_x": lambda image, s: moved(image, (1, 0, 150 / 331 * SIZE[1] * s, 0, 1, 0)),
    "shift_y": lambda image, s: moved(image, (1, 0, 0, 0, 1, 150 / 331 * SIZE[0] * s)),
    "rotate": rotated,
    "brightness": lambda image, s: ImageEnhance.Brightness(image).enhance(1 + 0.9 * s),
    "color": lambda image, s: ImageEnhance.Color(image).enhance(1 + 0.9 * s),
    "contrast": lambda image, s: ImageEnhance.Contrast(image).enhance(1 + 0.9 * s),
    "sharpness": lambda image, s: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * s),
    "posterize": lambda image, s: ImageOps.posterize(image, 8 - round(4 * abs(s))),
    "solarize": lambda image, s: ImageOps.solarize(image, int(np.ceil(255 * (1 - abs(s))))),
    "autocontrast": lambda image, s: ImageOps.autocontrast(image),
    "equalize": lambda image, s: ImageOps.equalize(image),
}
IN_JAX = jax.jit(jax_rand_augment.changed)
EXACT = {"nothing", "posterize", "solarize", "equalize"}


def test_both_libraries_have_the_same_operations():
    assert tuple(OPERATIONS) == NAMES == tuple(PILLOW)


@pytest.mark.parametrize("library", ["tensorflow", "jax"])
@pytest.mark.parametrize("name", NAMES)
def test_each_operation_is_that_of_pillow(name, library):
    images = photographs()
    strengths = np.array([-1.0, -0.6, -0.3, 0.3, 0.5, 1.0], np.float32)
    if library == "tensorflow":
        received = OPERATIONS[name](tf.constant(images), tf.constant(strengths)).numpy()
    else:
        chosen = jnp.full(len(images), NAMES.index(name))
        received = np.asarray(IN_JAX(jnp.asarray(images), chosen, strengths))
    expected = [
        np.asarray(PILLOW[name](Image.fromarray(image), float(strength)))
        for image, strength in zip(images, strengths, strict=True)
    ]
    difference = np.abs(received.astype(int) - np.stack(expected))
    if name in EXACT:
        assert not difference.any()
        return
    # Pillow rounds in between, and at the border of a moved image it takes black or nothing.
    assert np.median(difference) <= 1 and np.mean(difference > 2) < 0.09


def test_operations_are_drawn_for_each_image_and_follow_from_the_seed():
    images = np.repeat(photographs(1), 200, axis=0)
    first, again = (rand_augment(tf.constant(images), SEED).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first.reshape(200, -1), axis=0)) > 80  # of 14 x 14 pairs
    unchanged = (first == images).all(axis=(1, 2, 3)).sum()
    assert 1 <= unchanged < 40
    weak = rand_augment(tf.constant(images), SEED, operations=1, magnitude=0).numpy()
    changed = (weak != images).any(axis=(1, 2, 3)).sum()  # by autocontrast and equalize alone
    assert 200 * 2 / 14 == pytest.approx(changed, abs=18)


def test_a_batch_without_an_image_and_gray_images_do():
    assert rand_augment(tf.zeros([0, 8, 8, 3], tf.uint8), SEED).shape == (0, 8, 8, 3)
    gray = tf.constant(photographs(40, channels=1))
    assert rand_augment(gray, SEED, operations=3).shape == gray.shape


def test_the_name_stands_for_it_in_lists_and_in_data():
    images, labels = photographs(60), np.arange(60) % 2
    change = augmentation(["mirror", "rand_augment", "cutout"])
    batch = change(tf.constant(images), SEED, tf.zeros(60, tf.bool))
    assert batch.shape == images.shape and batch.dtype == tf.uint8
    for augment in ("rand_augment", functools.partial(rand_augment, magnitude=15)):
        data = from_arrays(images, labels, augment=augment, batch_size=8)
        batch, again = (next(iter(data.batches()))[0].numpy() for _ in range(2))
        np.testing.assert_array_equal(batch, again)


def test_in_jax_too_operations_are_drawn_for_each_image():
    images = jnp.asarray(np.repeat(photographs(1), 200, axis=0))
    strong = functools.partial(rand_augment, magnitude=15)
    change = jax.jit(jax_augment.augmentation(strong, mirror=True, num_classes=2))
    labels, turned = jnp.zeros(200, int), jnp.zeros(200, bool)
    first, again = (change(images, labels, jax.random.key(1), turned)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == jnp.uint8 and first.shape == images.shape
    assert len(np.unique(np.asarray(first).reshape(200, -1), axis=0)) > 80  # of 14 x 14 pairs
    unchanged = (np.asarray(first) == np.asarray(images)).all(axis=(1, 2, 3)).sum()
    assert 1 <= unchanged < 40
    named = jax_augment.augmentation(["rand_augment", "cutout"], mirror=True, num_classes=2)
    gray = jax.ShapeDtypeStruct((4, *SIZE, 1), jnp.uint8)
    assert jax.eval_shape(named, gray, labels[:4], jax.random.key(1), turned[:4])[0] == gray


@pytest.mark.parametrize("option", [{"magnitude": 31}, {"magnitude": -1}, {"operations": 0}])
def test_numbers_out_of_range_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        rand_augment(tf.zeros([1, 8, 8, 3], tf.uint8), SEED, **option)
