"""What happens to the pixels of a batch in TensorFlow, once the random numbers are drawn."""

import tensorflow as tf

from kcnn.data.operations import BORDER

# ITU-R BT.601 as torchvision rounds it. kcnn.color.LUMA would change the batches of "strong".
_LUMA = (0.2989, 0.587, 0.114)


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
        border: pixels that are added on every side, fewer than a side has.
        reflect: whether the border shows the pixels inside it, else it is black.
    """
    height, width, channels = images.shape[1:]
    count, across = tf.shape(images)[0], tf.range(width)
    rows = top[:, tf.newaxis] + tf.range(-border, height - border)
    columns = tf.where(mirrored[:, tf.newaxis], across[::-1], across)
    columns += left[:, tf.newaxis] - border
    if reflect:
        rows, columns = _reflected(rows, height), _reflected(columns, width)
    # No border is made: what lies outside is the one black pixel behind all others. Then one
    # gather over all pixels of the batch does it all, in uint8.
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
    """Turn each image about its center, bilinear, black where it had no pixels.

    Args:
        images: float32 [B, H, W, C].
        angles: float32 [B], radians, counter-clockwise.
    """
    _, height, width, _ = images.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    cos, sin = tf.cos(angles), tf.sin(angles)
    zero = tf.zeros_like(angles)
    # From a place in the result to the place in the image that it shows.
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


def adjust_color(
    images: tf.Tensor, brightness: tf.Tensor, contrast: tf.Tensor, saturation: tf.Tensor
) -> tf.Tensor:
    """Scale brightness, then contrast, then saturation by a factor for each image.

    They are those of torchvision's ColorJitter: a mixture of the image with black, with its mean
    gray, and with its gray version. (ColorJitter also shuffles the three; here the order is fixed.)

    Args:
        images: float32 [B, H, W, 1 or 3], 0 to 255.
        brightness: float32 [B]; 1 changes nothing.
        contrast: float32 [B].
        saturation: float32 [B]; does nothing to gray images.
    """
    shape, channels = tf.shape(images), images.shape[-1]
    luma = tf.constant(_LUMA if channels == 3 else [1.0], shape=[channels, 1])
    brightness, contrast, saturation = (
        factor[:, tf.newaxis, tf.newaxis] for factor in (brightness, contrast, saturation)
    )
    pixels = tf.reshape(images, [shape[0], -1, channels])
    pixels = _clip(brightness * pixels)
    mean_gray = tf.reduce_mean(pixels, axis=1, keepdims=True) @ luma
    pixels = _clip(contrast * pixels + (1 - contrast) * mean_gray)
    # Pixel times matrix, for broadcasting a gray picture over 3 channels takes 4 times as long.
    pixels = _clip(pixels @ (saturation * tf.eye(channels) + (1 - saturation) * luma))
    return tf.reshape(pixels, shape)


def cutout(images: tf.Tensor, center: tf.Tensor) -> tf.Tensor:
    """Black out a square of half the shorter side in each image: 16 x 16 pixels of 32 x 32.

    Paper: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout" (2017), https://arxiv.org/abs/1708.04552. (Its zero is the mean color, for it
    normalises first; here it is black, as the border is.)

    Args:
        images: uint8 [B, H, W, C].
        center: int32 [2, B], row and column of the middle of each hole. What reaches beyond the
            border is lost.
    """
    sizes = tf.fill(tf.shape(center), min(images.shape[1:3]) // 2)
    return images * (1 - rectangles(images, center, sizes))


def centers(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw a pixel of each image: row and column, int32 [2, B], every pixel equally likely."""
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    pixels = tf.random.stateless_uniform([count], seed, 0, height * width, tf.int32)
    return tf.stack([pixels // width, pixels % width])


def rectangles(images: tf.Tensor, center: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Return 1 for each value of each image that lies in its rectangle, else 0: uint8 [B, H, W, C].

    Numbers, for to multiply by them takes a third of the time of `tf.where`.

    Args:
        images: [B, H, W, C], of which only the shape matters.
        center: int32 [2, B], row and column.
        sizes: int32 [2, B], height and width.
    """
    _, height, width, channels = images.shape
    start = center - sizes // 2

    def inside(axis: int, length: int) -> tf.Tensor:
        distance = tf.range(length) - start[axis, :, tf.newaxis]
        return (distance >= 0) & (distance < sizes[axis, :, tf.newaxis])

    # Broadcast over rows of values, not of pixels: the last axis is then long enough to be fast.
    columns = tf.repeat(inside(1, width), channels, axis=1)
    values = inside(0, height)[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
    return tf.reshape(tf.cast(values, tf.uint8), tf.shape(images))


def _reflected(places: tf.Tensor, length: int) -> tf.Tensor:
    """Return the places inside that those outside mirror; the outermost pixel is not doubled."""
    return length - 1 - tf.abs(length - 1 - tf.abs(places))


def _clip(pixels: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(pixels, 0.0, 255.0)
