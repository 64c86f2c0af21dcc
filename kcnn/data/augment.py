"""Random changes to whole batches of images in TensorFlow, with a draw for every image.

All are pure functions of the images and of a seed, so that a run can be repeated exactly. They
work on the whole batch at once, because Keras's random layers work in float32 image by image or
draw one crop for the whole batch.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kcnn.data import draws
from kcnn.data.operations import (
    ASPECT,
    BORDER,
    MORE,
    NARROW_BORDER,
    SMALLEST_CROP,
    ZOOM,
    Augment,
    Step,
    chain,
)
from kcnn.data.pixels import adjust_color, centers, crop, cutout, resample, rotate, size_of
from kcnn.data.rand_augment import rand_augment

DEGREES = 15.0
STRENGTH = 0.2

Augmentation = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""(images uint8 [B, H, W, C], seed int64 [2], turned bool [B]) -> images."""


class _Draw(NamedTuple):
    """What an operation may draw from: its seed, and who is mirrored by "alternating"."""

    seed: tf.Tensor
    turned: tf.Tensor
    mirror: bool


def augmentation(augment: Augment, *, mirror: bool = True) -> Augmentation:
    """Return the function (images uint8 [B, H, W, C], seed int64 [2], turned bool [B]) -> images.

    An operation that mixes images is left out: it is in `kcnn.data.mixing`. `turned` says which
    images "alternating" mirrors this time; the other operations draw that themselves.

    Args:
        augment: A name, a function of your own, or a list of them, as in `kcnn.data.load`.
        mirror: Whether a mirror image still belongs to its class; if not, nothing is mirrored.

    Raises:
        ValueError: As `kcnn.data.operations.chain`. The returned function raises it if a function
            of your own does not return uint8 images of the same shape.

    >>> augment = augmentation("standard")
    >>> images, turned = tf.zeros([2, 32, 32, 3], tf.uint8), tf.constant([True, False])
    >>> augment(images, tf.constant([0, 1], tf.int64), turned).shape
    TensorShape([2, 32, 32, 3])
    """
    steps = [step for step in chain(augment, "tensorflow") if not step.mixes]

    def change(images: tf.Tensor, seed: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
        for step in steps:
            own_seed = draws.fold_in(seed, step.stream) if step.stream else seed
            if step.own is not None:
                own = tf.function(
                    step.own
                )  # translates Python's `if` on tensors, as a data set does
                images = _checked(step, own(images, own_seed), images)
            else:
                images = _OPERATIONS[step.name](images, _Draw(own_seed, turned, mirror))
        return images

    return change


def check_own(augment: Augment, image_shape: tuple[int, int, int], batch_size: int) -> None:
    """Call each function of the user's own once, on black images.

    Inside a data set, TensorFlow would wrap the reason of an error in pages of its own words.

    Raises:
        ValueError: If a function does not return uint8 images of the same shape.
    """
    for step in chain(augment, "tensorflow"):
        if step.own is not None:
            images = tf.zeros([batch_size, *image_shape], tf.uint8)
            _checked(step, step.own(images, tf.zeros([2], tf.int64)), images)


def _checked(step: Step, changed: object, images: tf.Tensor) -> tf.Tensor:
    """Return the result of the user's own function, which must be like the images it was given."""
    received = type(changed).__name__
    if isinstance(changed, tf.Tensor):
        received = f"{changed.dtype.name} {changed.shape}"
        if changed.dtype == tf.uint8 and changed.shape.is_compatible_with(images.shape):
            return tf.ensure_shape(changed, images.shape)
    raise ValueError(
        f"Own augmentation {step.name!r} must return a tensor like its images, uint8 "
        f"{images.shape}. Received: {received}"
    )


def _shift(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    return _window(images, draw.seed, tf.zeros(tf.shape(images)[:1], tf.bool))


def _mirror(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    start = tf.zeros(tf.shape(images)[:1], tf.int32)
    return crop(images, start, start, _mirrored(images, draw), border=0)


def _shift_mirror(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    return _window(images, draw.seed, _mirrored(images, draw))


def _alternating(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    mirrored = draw.turned & draw.mirror
    return _window(images, draw.seed, mirrored, border=NARROW_BORDER, reflect=True)


def _rotate_color(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    count = tf.shape(images)[0]
    angles = math.radians(DEGREES) * draws.floats([count], _seeds(draw.seed)[2], -1.0, 1.0)
    factors = 1 + STRENGTH * draws.floats([3, count], _seeds(draw.seed)[3], -1.0, 1.0)
    changed = rotate(tf.cast(images, tf.float32), angles)
    return tf.cast(tf.round(adjust_color(changed, *tf.unstack(factors))), tf.uint8)


def _zoom(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    size = tf.constant(size_of(images)[:2], tf.float32)
    count = tf.shape(images)[:1]
    factors = draws.floats(count, _more_seeds(draw.seed)[0], -ZOOM, ZOOM)
    seen = size[:, tf.newaxis] / tf.exp(factors)
    return _resampled(images, (size[:, tf.newaxis] - seen) / 2, seen, fill_mode="CONSTANT")


def _resized_crop(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    size = tf.constant(size_of(images)[:2], tf.float32)[:, tf.newaxis]
    count = tf.shape(images)[0]
    _, areas, ratios, places = _more_seeds(draw.seed)
    area = draws.floats([count], areas, SMALLEST_CROP, 1.0) * tf.reduce_prod(size)
    ratio = tf.exp(draws.floats([count], ratios, -ASPECT, ASPECT))  # width / height
    seen = tf.minimum(tf.sqrt(tf.stack([area / ratio, area * ratio])), size)
    start = draws.floats([2, count], places) * (size - seen)
    return _resampled(images, start, seen, fill_mode="NEAREST")


def _resampled(
    images: tf.Tensor, start: tf.Tensor, seen: tf.Tensor, *, fill_mode: str
) -> tf.Tensor:
    changed = resample(tf.cast(images, tf.float32), start, seen, fill_mode=fill_mode)
    return tf.cast(tf.round(changed), tf.uint8)


def _rand_augment(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    return rand_augment(images, draws.fold_in(draw.seed, MORE + 1))


def _cutout(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    return cutout(images, centers(images, _seeds(draw.seed)[4]))


_OPERATIONS: dict[str, Callable[[tf.Tensor, _Draw], tf.Tensor]] = {
    "shift": _shift,
    "mirror": _mirror,
    "shift_mirror": _shift_mirror,
    "alternating": _alternating,
    "rotate_color": _rotate_color,
    "zoom": _zoom,
    "resized_crop": _resized_crop,
    "rand_augment": _rand_augment,
    "cutout": _cutout,
}


def _seeds(seed: tf.Tensor) -> list[tf.Tensor]:
    """Return the seeds of the window, of who is mirrored, of the angle, the color and the hole."""
    return tf.unstack(draws.split(seed, 5))


def _more_seeds(seed: tf.Tensor) -> list[tf.Tensor]:
    """Return the seeds of the zoom, and of a crop's area, aspect ratio and place.

    They are of a seed of their own: the five of `_seeds` would be others if they were nine.
    """
    return tf.unstack(draws.split(draws.fold_in(seed, MORE), 4))


def _window(
    images: tf.Tensor,
    seed: tf.Tensor,
    mirrored: tf.Tensor,
    *,
    border: int = BORDER,
    reflect: bool = False,
) -> tf.Tensor:
    """Draw a window of each image with a border around it."""
    places = draws.integers([2, tf.shape(images)[0]], _seeds(seed)[0], 2 * border + 1)
    top, left = tf.unstack(places)
    return crop(images, top, left, mirrored, border=border, reflect=reflect)


def _mirrored(images: tf.Tensor, draw: _Draw) -> tf.Tensor:
    count = tf.shape(images)[:1]
    if not draw.mirror:
        return tf.zeros(count, tf.bool)
    return tf.cast(draws.integers(count, _seeds(draw.seed)[1], 2), tf.bool)
