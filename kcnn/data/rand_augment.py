"""RandAugment: a few operations that are drawn for each image, all with one strength."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kcnn.checks import check_count
from kcnn.data import draws
from kcnn.data.pixels import adjust_color, size_of

STRONGEST = 30

_SHEAR = 0.3
_SHIFT = 150 / 331  # of a side, as in torchvision
_DEGREES = 30.0
_COLOR = 0.9
_BITS = 4
_SMOOTH = tuple(weight / 13 for weight in (1, 1, 1, 1, 5, 1, 1, 1, 1))  # Pillow's filter

_Signed = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(images uint8 [n, H, W, C], strengths float32 [n], -1 to 1) -> images."""


def rand_augment(
    images: tf.Tensor, seed: Any, *, operations: int = 2, magnitude: int = 9
) -> tf.Tensor:
    """Apply operations to each image, one after the other, each drawn from fourteen.

    They are: nothing, shear and shift along either axis, rotation, brightness, color, contrast,
    sharpness, posterize, solarize, autocontrast and equalize, as in torchvision; what moves is
    bilinear, on black. As an augmentation, "rand_augment" has the defaults. For others, pass a
    function of your own: `functools.partial(kcnn.data.rand_augment, magnitude=15)`.

    Paper: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
    space" (2019), https://arxiv.org/abs/1909.13719.

    Args:
        images: uint8 [B, H, W, 1 or 3], 0 to 255.
        seed: int64 [2], as `kcnn.data.load` gives it to a function of your own.
        operations: How many for each image.
        magnitude: How strong they are, 0 to 30.

    Returns:
        uint8 [B, H, W, C].

    Raises:
        ValueError: If a number is out of its range.

    >>> images = tf.zeros([4, 8, 8, 3], tf.uint8)
    >>> rand_augment(images, tf.constant([0, 1], tf.int64)).shape
    TensorShape([4, 8, 8, 3])
    """
    check_count("operations", operations)
    check_count("magnitude", magnitude, minimum=0)
    if magnitude > STRONGEST:
        raise ValueError(f"magnitude must be 0 to {STRONGEST}. Received: magnitude={magnitude}")
    size, count = size_of(images), tf.shape(images)[0]
    for round_seed in tf.unstack(draws.split(seed, operations)):
        which, side = tf.unstack(draws.split(round_seed, 2))
        chosen = draws.integers([count], which, len(OPERATIONS))
        signs = 2.0 * tf.cast(draws.integers([count], side, 2), tf.float32) - 1.0
        images = _each(images, chosen, signs * (magnitude / STRONGEST))
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
    return _moved(images, [1.0, _SHEAR * strengths, 0.0, 0.0, 1.0, 0.0])


def _shear_y(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _moved(images, [1.0, 0.0, 0.0, _SHEAR * strengths, 1.0, 0.0])


def _shift_x(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    pixels = _SHIFT * size_of(images)[1] * strengths
    return _moved(images, [1.0, 0.0, pixels, 0.0, 1.0, 0.0])


def _shift_y(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    pixels = _SHIFT * size_of(images)[0] * strengths
    return _moved(images, [1.0, 0.0, 0.0, 0.0, 1.0, pixels])


def _rotate(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    angles = math.radians(_DEGREES) * strengths
    cos, sin = tf.cos(angles), tf.sin(angles)
    return _moved(images, [cos, -sin, 0.0, sin, cos, 0.0])


def _brightness(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, 1 + _COLOR * strengths, None, None)


def _contrast(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, None, 1 + _COLOR * strengths, None)


def _color(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    return _colored(images, None, None, 1 + _COLOR * strengths)


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
    inner = tf.add_n([share * each for share, each in zip(_SMOOTH, moved, strict=True)])
    around = [[0, 0], [1, 1], [1, 1], [0, 0]]
    # The outermost pixels stay as they are.
    smooth = tf.where(tf.pad(tf.ones_like(inner), around) > 0, tf.pad(inner, around), pixels)
    factors = (1 + _COLOR * strengths)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    mixed = factors * pixels + (1 - factors) * tf.round(smooth)
    return tf.cast(tf.clip_by_value(tf.round(mixed), 0.0, 255.0), tf.uint8)


def _posterize(images: tf.Tensor, strengths: tf.Tensor) -> tf.Tensor:
    lost = tf.cast(tf.round(_BITS * tf.abs(strengths)), tf.int32)
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
"""What is drawn from. Where an operation has no direction, only the size of a strength counts."""
