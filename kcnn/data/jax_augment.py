"""Random changes to whole batches of images in JAX, inside a compiled training step.

The operations of `augment` and `mixing`, in JAX: pure functions of the images and of a key, with a
draw for every image, in uint8. The random numbers differ from TensorFlow's, because each library
has its own generator.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kcnn.data.operations import BORDER, NARROW_BORDER, Augment, Step, chain

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


def _cutout(images: jax.Array, draw: _Draw) -> jax.Array:
    return cutout(images, _centers(images, _keys(draw.key)[2]))


_OPERATIONS: dict[str, Callable[[jax.Array, _Draw], jax.Array]] = {
    "shift": _shift,
    "mirror": _mirror,
    "shift_mirror": _shift_mirror,
    "alternating": _alternating,
    "cutout": _cutout,
}


def _keys(key: jax.Array) -> jax.Array:
    """Return the keys of the window, of who is mirrored, of the hole and of the mixing."""
    return jax.random.split(key, 4)


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


def crop(
    images: jax.Array,
    top: jax.Array,
    left: jax.Array,
    mirrored: jax.Array,
    *,
    border: int = BORDER,
    reflect: bool = False,
) -> jax.Array:
    """Cut a window of the old size out of each image with a border around it.

    Args:
        images: [B, H, W, C] of any type.
        top: int32 [B], first row of each window, 0 to 2 * border.
        left: int32 [B], first column.
        mirrored: bool [B], whether to mirror the window.
        border: Pixels that are added on every side.
        reflect: Whether the border mirrors the pixels inside it; else it is black.
    """
    sides = [(0, 0), (border, border), (border, border), (0, 0)]
    padded = jnp.pad(images, sides, "reflect" if reflect else "constant")
    windows = jax.vmap(
        lambda image, row, column: jax.lax.dynamic_slice(image, (row, column, 0), images.shape[1:])
    )(padded, top, left)
    return jnp.where(mirrored[:, None, None, None], windows[:, :, ::-1], windows)


def cutout(images: jax.Array, center: jax.Array) -> jax.Array:
    """Black out a square of half the shorter side in each image, as `kcnn.data.augment.cutout`.

    Args:
        images: uint8 [B, H, W, C].
        center: int32 [2, B], row and column of the middle of each hole.
    """
    sizes = jnp.full_like(center, min(images.shape[1:3]) // 2)
    return jnp.where(_rectangles(images, center, sizes), jnp.zeros_like(images), images)


def mixup(images: jax.Array, others: jax.Array, share: jax.Array) -> jax.Array:
    """Blend each image with another one, and round, as `kcnn.data.mixing.mixup`.

    Args:
        images: uint8 [B, H, W, C].
        others: uint8 [B, H, W, C].
        share: float32 [B], of the first image, 0 to 1.
    """
    share = share[:, None, None, None]
    return jnp.round(share * images + (1 - share) * others).astype(jnp.uint8)


def cutmix(
    images: jax.Array, others: jax.Array, share: jax.Array, center: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Paste a rectangle of another image into each image, as `kcnn.data.mixing.cutmix`.

    Args:
        images: uint8 [B, H, W, C].
        others: uint8 [B, H, W, C], whose pixels are pasted in the same place.
        share: float32 [B], how much of the first image remains, 0 to 1.
        center: int32 [2, B], row and column of the middle of each rectangle.

    Returns:
        The images, and the share of pixels that remained, float32 [B].
    """
    height, width = images.shape[1:3]
    side = jnp.sqrt(1 - share)
    sizes = jnp.stack([side * height, side * width]).astype(jnp.int32)
    pasted = _rectangles(images, center, sizes)
    return jnp.where(pasted, others, images), 1 - pasted.mean(axis=(1, 2, 3))


def _mixed(
    name: str, images: jax.Array, shares: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    partner_key, share_key, center_key = jax.random.split(key, 3)
    partners = jax.random.permutation(partner_key, len(images))
    others, share = images[partners], jax.random.uniform(share_key, (len(images),))
    if name == "mixup":
        images = mixup(images, others, share)
    else:
        images, share = cutmix(images, others, share, _centers(images, center_key))
    share = share[:, None]
    return images, share * shares + (1 - share) * shares[partners]


def _centers(images: jax.Array, key: jax.Array) -> jax.Array:
    """Draw a pixel of each image: row and column, int32 [2, B], every pixel equally likely."""
    count, height, width, _ = images.shape
    pixels = jax.random.randint(key, (count,), 0, height * width)
    return jnp.stack([pixels // width, pixels % width])


def _rectangles(images: jax.Array, center: jax.Array, sizes: jax.Array) -> jax.Array:
    """Return which pixels of each image lie in its rectangle: bool [B, H, W, 1]."""
    start = center - sizes // 2

    def inside(axis: int) -> jax.Array:
        distance = jnp.arange(images.shape[axis + 1]) - start[axis, :, None]
        return (distance >= 0) & (distance < sizes[axis, :, None])

    return (inside(0)[:, :, None] & inside(1)[:, None, :])[..., None]
