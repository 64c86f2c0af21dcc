"""The operations of RandAugment in TensorFlow."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kcnn.data import draws
from kcnn.data.pixels import adjust_color, size_of
from kcnn.data.rand_operations import BITS, COLOR, DEGREES, SHEAR, SHIFT, SMOOTH

_Signed = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(images uint8 [n, H, W, C], strengths float32 [n], -1 to 1) -> images."""


def augmented(images: tf.Tensor, seed: Any, operations: int, strength: float) -> tf.Tensor:
    """Return images that were changed by operations, each drawn for each image.

    Args:
        images: uint8 [B, H, W, C].
        seed: int64 [2].
        operations: how many for each image.
        strength: of all of them, 0 to 1.
    """
    size, count = size_of(images), tf.shape(images)[0]
    for round_seed in tf.unstack(draws.split(seed, operations)):
        which, side = tf.unstack(draws.split(round_seed, 2))
        chosen = draws.integers([count], which, len(OPERATIONS))
        signs = 2.0 * tf.cast(draws.integers([count], side, 2), tf.float32) - 1.0
        images = _each(images, chosen, signs * strength)
        images = tf.ensure_shape(images, (None, *size))
    return images


def _each(images: tf.Tensor, chosen: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Apply to each image the operation that was chosen for it."""
    count = len(OPERATIONS)
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), chosen, count)
    parts = tf.dynamic_partition(images, chosen, count)
    strong = tf.dynamic_partition(strengths, chosen, count)
    changed = [
        operation(tf.ensure_shape(part, (None, *size_of(images))), each)
        for operation, part, each in zip(OPERATIONS.values(), parts, strong, strict=True)
    ]
    return tf.dynamic_stitch(places, changed)


def _moved(images: tf.Tensor, matrix: list[Any]) -> tf.Tensor:
    """Return images whose pixel (x, y), from their center, shows that at `matrix` (x, y, 1)."""
    height, width, _ = size_of(images)
    x, y = (width - 1) / 2, (height - 1) / 2
    none = tf.zeros(tf.shape(images)[:1])
    a, b, c, d, e, f = (none + each for each in matrix)
    columns, rows = [a, b, c + x - a * x - b * y], [d, e, f + y - d * x - e * y]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([*columns, *rows, none, none], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.cast(tf.round(moved), tf.uint8)


def _shear_x(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _moved(images, [1.0, SHEAR * strengths, 0.0, 0.0, 1.0, 0.0])


def _shear_y(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _moved(images, [1.0, 0.0, 0.0, SHEAR * strengths, 1.0, 0.0])


def _shift_x(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    pixels = SHIFT * size_of(images)[1] * strengths
    return _moved(images, [1.0, 0.0, pixels, 0.0, 1.0, 0.0])


def _shift_y(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    pixels = SHIFT * size_of(images)[0] * strengths
    return _moved(images, [1.0, 0.0, 0.0, 0.0, 1.0, pixels])


def _rotate(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    angles = math.radians(DEGREES) * strengths
    cos, sin = tf.cos(angles), tf.sin(angles)
    return _moved(images, [cos, -sin, 0.0, sin, cos, 0.0])


def _brightness(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, 1 + COLOR * strengths, None, None)


def _contrast(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, None, 1 + COLOR * strengths, None)


def _color(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, None, None, 1 + COLOR * strengths)


def _colored(images: tf.Tensor, *factors: tf.Tensor | None) -> tf.Tensor:
    one = tf.ones(tf.shape(images)[:1])
    brightness, contrast, saturation = (one if each is None else each for each in factors)
    changed = adjust_color(tf.cast(images, tf.float32), brightness, contrast, saturation)
    return tf.cast(tf.round(changed), tf.uint8)


def _sharpness(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    height, width, _ = size_of(images)
    if min(height, width) < 3:
        return images
    pixels = tf.cast(images, tf.float32)
    # A sum of moved images: a convolution of no image has another size than one of some.
    moved = [pixels[:, i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    inner = tf.add_n([share * each for share, each in zip(SMOOTH, moved, strict=True)])
    around = [[0, 0], [1, 1], [1, 1], [0, 0]]
    # The outermost pixels stay as they are.
    smooth = tf.where(tf.pad(tf.ones_like(inner), around) > 0, tf.pad(inner, around), pixels)
    factors = (1 + COLOR * strengths)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    mixed = factors * pixels + (1 - factors) * tf.round(smooth)
    return tf.cast(tf.clip_by_value(tf.round(mixed), 0.0, 255.0), tf.uint8)


def _posterize(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    lost = tf.cast(tf.round(BITS * tf.abs(strengths)), tf.int32)
    step = tf.bitwise.left_shift(tf.ones_like(lost), lost)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.cast(tf.cast(images, tf.int32) // step * step, tf.uint8)


def _solarize(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    thresholds = 255 * (1 - tf.abs(strengths))[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.where(tf.cast(images, tf.float32) >= thresholds, 255 - images, images)


def _autocontrast(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(images, tf.float32)
    low = tf.reduce_min(pixels, axis=[1, 2], keepdims=True)
    high = tf.reduce_max(pixels, axis=[1, 2], keepdims=True)
    stretched = (pixels - low) * tf.math.divide_no_nan(255.0, high - low)
    return tf.cast(tf.where(high > low, stretched, pixels), tf.uint8)


def _equalize(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    """Spread the values of each channel evenly, as Pillow's `ImageOps.equalize`."""
    height, width, channels = size_of(images)
    count = height * width
    flat = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [-1, count])
    rows, flat = tf.shape(flat)[0], tf.cast(flat, tf.int32)
    places = flat + 256 * tf.range(rows)[:, tf.newaxis]
    ones = tf.ones_like(places)
    histogram = tf.math.unsorted_segment_sum(ones, places, 256 * rows)
    histogram = tf.reshape(histogram, [-1, 256])
    # Of the brightest value that occurs, no pixel is to become brighter.
    last = tf.gather(histogram, tf.reduce_max(flat, axis=1), batch_dims=1)
    step = ((count - last) // 255)[:, tf.newaxis]
    before = tf.cumsum(histogram, axis=1, exclusive=True)
    table = tf.minimum((before + step // 2) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, table, tf.range(256))
    changed = tf.gather(table, flat, batch_dims=1)
    changed = tf.reshape(changed, [-1, channels, height, width])
    return tf.cast(tf.transpose(changed, [0, 2, 3, 1]), tf.uint8)


OPERATIONS: dict[str, _Signed] = {
    "nothing": lambda images, strengths: images,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "shift_x": _shift_x,
    "shift_y": _shift_y,
    "rotate": _rotate,
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
"""In the order of `rand_operations.NAMES`."""
