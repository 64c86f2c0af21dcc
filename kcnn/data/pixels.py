"""What happens to the pixels of a batch in TensorFlow, once the random numbers are drawn."""

from typing import cast

import tensorflow as tf

from kcnn.data import draws
from kcnn.data.operations import BORDER

# ITU-R BT.601 as torchvision rounds it. kcnn.color.LUMA would change the batches of "strong".
_LUMA = (0.2989, 0.587, 0.114)


def size_of(images: tf.Tensor) -> tuple[int, int, int]:
    """Return the height, width and number of channels of images [B, H, W, C], always known here."""
    _, *size = images.shape
    return cast("tuple[int, int, int]", tuple(size))


def crop(
    images: tf.Tensor,
    top: tf.Tensor,
    left: tf.Tensor,
    mirrored: tf.Tensor,
    *,
    border: int = BORDER,
    reflect: bool = False,
) -> tf.Tensor:
    """Cut a window of the old size out of each image with a border around it.

    Args:
        images: [B, H, W, C] of any type.
        top: int32 [B], first row of each window, 0 to 2 * border.
        left: int32 [B], first column.
        mirrored: bool [B], whether to mirror the window.
        border: Pixels that are added on every side, fewer than a side has.
        reflect: Whether the border mirrors the pixels inside it; else it is black.
    """
    height, width, channels = size_of(images)
    count, across = tf.shape(images)[0], tf.range(width)
    rows = top[:, tf.newaxis] + tf.range(-border, height - border)
    columns = tf.where(mirrored[:, tf.newaxis], across[::-1], across)
    columns += left[:, tf.newaxis] - border
    if reflect:
        rows, columns = _reflected(rows, height), _reflected(columns, width)
    # No border is added. Places outside the image point to one black pixel after all others, so
    # that a single gather over all pixels of the batch cuts every window, in uint8.
    pixels = tf.concat(
        [tf.reshape(images, [-1, channels]), tf.zeros([1, channels], images.dtype)], 0
    )
    black = count * height * width
    starts = (tf.range(count)[:, tf.newaxis] * height + rows) * width
    starts = tf.where((rows >= 0) & (rows < height), starts, black)
    columns = tf.where((columns >= 0) & (columns < width), columns, black)
    places = starts[:, :, tf.newaxis] + columns[:, tf.newaxis, :]
    return tf.gather(pixels, tf.minimum(places, black))


def rotate(images: tf.Tensor, angles: tf.Tensor) -> tf.Tensor:
    """Rotate each image about its center, bilinear, black where the image had no pixels.

    Args:
        images: float32 [B, H, W, C].
        angles: float32 [B], radians, counter-clockwise.
    """
    height, width, _ = size_of(images)
    x, y = (width - 1) / 2, (height - 1) / 2
    cos, sin = tf.cos(angles), tf.sin(angles)
    zero = tf.zeros_like(angles)
    # From a place in the result to the place in the image whose pixel it shows.
    columns = [cos, -sin, x - cos * x + sin * y]
    rows = [sin, cos, y - sin * x - cos * y]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*columns, *rows, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def resample(images: tf.Tensor, start: tf.Tensor, seen: tf.Tensor, *, fill_mode: str) -> tf.Tensor:
    """Return a part of each image in the size of the whole, bilinear.

    Args:
        images: float32 [B, H, W, C].
        start: float32 [2, B], where the part begins from above and from the left, in pixels.
        seen: float32 [2, B], its height and width in pixels.
        fill_mode: "CONSTANT" for black outside the image, "NEAREST" for its outermost pixels.
    """
    height, width, _ = size_of(images)
    scale = seen / tf.constant([[float(height)], [float(width)]])
    # The middle of a pixel in the result shows the same place in the image.
    (top, left), (down, across) = tf.unstack(start + scale / 2 - 0.5), tf.unstack(scale)
    zero = tf.zeros_like(top)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([across, zero, left, zero, down, top, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill_mode,
    )


def adjust_color(
    images: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor, saturation: tf.Tensor
) -> tf.Tensor:
    """Scale brightness, then contrast, then saturation by a factor for each image.

    They are defined as in torchvision's ColorJitter: a mixture of the image with black, with its
    mean gray, and with its gray version. (ColorJitter also shuffles the three; here the order is
    fixed.)

    Args:
        images: float32 [B, H, W, 1 or 3], 0 to 255.
        brightness: float32 [B], 1 for no change.
        contrast: float32 [B], 1 for no change.
        saturation: float32 [B], 1 for no change; it leaves gray images alone.
    """
    shape, (_, _, channels) = tf.shape(images), size_of(images)
    luma = tf.constant(_LUMA if channels == 3 else [1.0], shape=[channels, 1])
    brightness, contrast, saturation = (
        factor[:, tf.newaxis, tf.newaxis] for factor in (brightness, contrast, saturation)
    )
    pixels = tf.reshape(images, [shape[0], -1, channels])
    pixels = _clip(brightness * pixels)
    mean_gray = tf.reduce_mean(pixels, axis=1, keepdims=True) @ luma
    pixels = _clip(contrast * pixels + (1 - contrast) * mean_gray)
    # Pixels times a matrix: broadcasting a gray picture over 3 channels takes 4 times as long.
    pixels = _clip(pixels @ (saturation * tf.eye(channels) + (1 - saturation) * luma))
    return tf.reshape(pixels, shape)


def cutout(images: tf.Tensor, center: tf.Tensor) -> tf.Tensor:
    """Black out a square of half the shorter side in each image: 16 x 16 pixels of 32 x 32.

    Paper: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout" (2017), https://arxiv.org/abs/1708.04552. (There, zero is the mean
    color, because the images are normalized first; here it is black, as the border is.)

    Args:
        images: uint8 [B, H, W, C].
        center: int32 [2, B], row and column of the middle of each hole, which is clipped at the
            image's border.
    """
    sizes = tf.fill(tf.shape(center), min(size_of(images)[:2]) // 2)
    return images * (1 - rectangles(images, center, sizes))


def centers(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw a pixel of each image: row and column, int32 [2, B], every pixel equally likely."""
    count, (height, width, _) = tf.shape(images)[0], size_of(images)
    pixels = draws.integers([count], seed, height * width)
    return tf.stack([pixels // width, tf.math.floormod(pixels, width)])


def rectangles(images: tf.Tensor, center: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Return 1 for each value of each image that lies in its rectangle, else 0: uint8 [B, H, W, C].

    These are numbers, because multiplying by them takes a third of the time of `tf.where`.

    Args:
        images: [B, H, W, C]; only the shape matters.
        center: int32 [2, B], row and column.
        sizes: int32 [2, B], height and width.
    """
    height, width, channels = size_of(images)
    start = center - sizes // 2

    def inside(axis: int, length: int) -> tf.Tensor:
        distance = tf.range(length) - start[axis, :, tf.newaxis]
        return (distance >= 0) & (distance < sizes[axis, :, tf.newaxis])

    # Broadcast over rows of values, not of pixels: the last axis is then long enough to be fast.
    columns = tf.repeat(inside(1, width), channels, axis=1)
    values = inside(0, height)[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
    return tf.reshape(tf.cast(values, tf.uint8), tf.shape(images))


def _reflected(places: tf.Tensor, length: int) -> tf.Tensor:
    """Return the places inside that those outside mirror, without doubling the outermost pixel."""
    return length - 1 - tf.abs(length - 1 - tf.abs(places))


def _clip(pixels: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(pixels, 0.0, 255.0)
