"""Random changes to whole batches of images in JAX, inside a compiled training step.

The operations of `augment` and `mixing`, in JAX: pure functions of the images and of a key, with a
draw for every image, in uint8. The random numbers differ from TensorFlow's, because each library
has its own generator.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kcnn.data.jax_pixels import centers, crop, cutmix, cutout, mixup, resample
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
from kcnn.data.rand_augment import rand_augment

Augmentation = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(images uint8 [B, H, W, C], labels int32 [B], key, turned bool [B]) -> images and targets."""


class _Draw(NamedTuple):
    """What an operation may draw from: its key, and who is mirrored by "alternating"."""

    key: jax.Array
    turned: jax.Array
    mirror: bool


def augmentation(augment: Augment, *, mirror: bool, num_classes: int) -> Augmentation:
    """Return (images uint8 [B, H, W, C], labels int32 [B], key, turned bool [B]) -> both, changed.

    The targets of "mixup" and "cutmix" are soft, float32 [B, num_classes]; others are the labels.
    `turned` says which images "alternating" mirrors this time; the other operations draw that
    themselves.

    Args:
        augment: A name, a function of your own, or a list of them, as in `kcnn.data.JaxData`.
        mirror: Whether a mirror image still belongs to its class; if not, nothing is mirrored.
        num_classes: Number of different labels.

    Raises:
        ValueError: As `kcnn.data.operations.chain`. The returned function raises it if a function
            of your own does not return uint8 images of the same shape.

    >>> augment = augmentation("mixup", mirror=True, num_classes=3)
    >>> images, labels = jnp.zeros((2, 8, 8, 1), jnp.uint8), jnp.array([0, 2])
    >>> turned = jnp.array([True, False])
    >>> [each.shape for each in augment(images, labels, jax.random.key(0), turned)]
    [(2, 8, 8, 1), (2, 3)]
    """
    steps = chain(augment, "jax")

    def change(
        images: jax.Array, labels: jax.Array, key: jax.Array, turned: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        for step in steps:
            own_key = jax.random.fold_in(key, step.stream) if step.stream else key
            if step.own is not None:
                images = _checked(step, step.own(images, own_key), images)
            elif step.mixes:
                shares = jax.nn.one_hot(labels, num_classes)
                images, labels = _mixed(step.name, images, shares, _keys(own_key)[3])
            else:
                images = _OPERATIONS[step.name](images, _Draw(own_key, turned, mirror))
        return images, labels

    return change


def check_own(augment: Augment, image_shape: tuple[int, int, int], batch_size: int) -> None:
    """Trace each function of the user's own once, without computing anything.

    Raises:
        ValueError: If a function does not return uint8 images of the same shape.
    """
    for step in chain(augment, "jax"):
        if step.own is not None:
            images = jax.ShapeDtypeStruct((batch_size, *image_shape), jnp.uint8)
            _checked(step, jax.eval_shape(step.own, images, jax.random.key(0)), images)


def _checked(step: Step, changed: Any, images: Any) -> Any:
    """Return the result of the user's own function, which must be like the images it was given."""
    expected, received = (
        f"{each.dtype} {each.shape}" if hasattr(each, "dtype") else type(each).__name__
        for each in (images, changed)
    )
    if received != expected:
        raise ValueError(
            f"Own augmentation {step.name!r} must return an array like its images, {expected}. "
            f"Received: {received}"
        )
    return changed


def _shift(images: jax.Array, draw: _Draw) -> jax.Array:
    return _window(images, draw.key, jnp.zeros(len(images), bool))


def _mirror(images: jax.Array, draw: _Draw) -> jax.Array:
    return jnp.where(_mirrored(images, draw)[:, None, None, None], images[:, :, ::-1], images)


def _shift_mirror(images: jax.Array, draw: _Draw) -> jax.Array:
    return _window(images, draw.key, _mirrored(images, draw))


def _alternating(images: jax.Array, draw: _Draw) -> jax.Array:
    mirrored = draw.turned & draw.mirror
    return _window(images, draw.key, mirrored, border=NARROW_BORDER, reflect=True)


def _zoom(images: jax.Array, draw: _Draw) -> jax.Array:
    size = jnp.array(images.shape[1:3], jnp.float32)[:, None]
    factors = jax.random.uniform(_more_keys(draw.key)[0], (len(images),), minval=-ZOOM, maxval=ZOOM)
    seen = size / jnp.exp(factors)
    return resample(images, (size - seen) / 2, seen)


def _resized_crop(images: jax.Array, draw: _Draw) -> jax.Array:
    size, count = jnp.array(images.shape[1:3], jnp.float32)[:, None], (len(images),)
    _, areas, ratios, places = _more_keys(draw.key)
    area = jax.random.uniform(areas, count, minval=SMALLEST_CROP) * size.prod()
    ratio = jnp.exp(jax.random.uniform(ratios, count, minval=-ASPECT, maxval=ASPECT))
    seen = jnp.minimum(jnp.sqrt(jnp.stack([area / ratio, area * ratio])), size)
    start = jax.random.uniform(places, (2, *count)) * (size - seen)
    return resample(images, start, seen)


def _rand_augment(images: jax.Array, draw: _Draw) -> jax.Array:
    return rand_augment(images, jax.random.fold_in(draw.key, MORE + 1))


def _cutout(images: jax.Array, draw: _Draw) -> jax.Array:
    return cutout(images, centers(images, _keys(draw.key)[2]))


_OPERATIONS: dict[str, Callable[[jax.Array, _Draw], jax.Array]] = {
    "shift": _shift,
    "mirror": _mirror,
    "shift_mirror": _shift_mirror,
    "alternating": _alternating,
    "zoom": _zoom,
    "resized_crop": _resized_crop,
    "rand_augment": _rand_augment,
    "cutout": _cutout,
}


def _keys(key: jax.Array) -> jax.Array:
    """Return the keys of the window, of who is mirrored, of the hole and of the mixing."""
    return jax.random.split(key, 4)


def _more_keys(key: jax.Array) -> jax.Array:
    """Return the keys of the zoom, and of a crop's area, aspect ratio and place."""
    return jax.random.split(jax.random.fold_in(key, MORE), 4)


def _window(
    images: jax.Array,
    key: jax.Array,
    mirrored: jax.Array,
    *,
    border: int = BORDER,
    reflect: bool = False,
) -> jax.Array:
    """Draw a window of each image with a border around it."""
    top, left = jax.random.randint(_keys(key)[0], (2, len(images)), 0, 2 * border + 1)
    return crop(images, top, left, mirrored, border=border, reflect=reflect)


def _mirrored(images: jax.Array, draw: _Draw) -> jax.Array:
    mirrored = jax.random.bernoulli(_keys(draw.key)[1], shape=(len(images),))
    return mirrored & draw.mirror


def _mixed(
    name: str, images: jax.Array, shares: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    partner_key, share_key, center_key = jax.random.split(key, 3)
    partners = jax.random.permutation(partner_key, len(images))
    others, share = images[partners], jax.random.uniform(share_key, (len(images),))
    if name == "mixup":
        images = mixup(images, others, share)
    else:
        images, share = cutmix(images, others, share, centers(images, center_key))
    share = share[:, None]
    return images, share * shares + (1 - share) * shares[partners]
