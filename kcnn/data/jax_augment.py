"""Random changes to whole batches of images on the device, inside a compiled training step.

What `augment` and `mixing` do in TensorFlow, in JAX: pure functions of the images and of a key, a
draw for every image, in uint8. The draws are others, for every library has its own generator.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from kcnn.data.catalogue import AUGMENTATIONS, BORDER, NARROW_BORDER
from kcnn.errors import unknown

IN_JAX = tuple(name for name in AUGMENTATIONS if name != "strong")

Augmentation = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def check_in_jax(name: str) -> None:
    """Raise a ValueError unless the augmentation is known and can be done on the device."""
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    if name not in IN_JAX:
        raise ValueError(
            f"Augmentation {name!r} is made by TensorFlow only; on the device there are "
            f"{', '.join(IN_JAX)}."
        )


def augmentation(name: str, *, mirror: bool, num_classes: int) -> Augmentation:
    """Return (images uint8 [B, H, W, C], labels int32 [B], key, turned bool [B]) -> both, changed.

    The targets of "mixup" and "cutmix" are soft, float32 [B, num_classes]; others are the labels.
    `turned` says which images "alternating" mirrors this time; the others draw that themselves.

    Args:
        name: One of `IN_JAX`.
        mirror: Whether a mirror image still belongs to its class; if not, nothing is mirrored.
        num_classes: Number of different labels.

    Raises:
        ValueError: If the name is unknown or only TensorFlow has it.

    >>> augment = augmentation("mixup", mirror=True, num_classes=3)
    >>> images, labels = jnp.zeros((2, 8, 8, 1), jnp.uint8), jnp.array([0, 2])
    >>> turned = jnp.array([True, False])
    >>> [each.shape for each in augment(images, labels, jax.random.key(0), turned)]
    [(2, 8, 8, 1), (2, 3)]
    """
    check_in_jax(name)

    def augment(
        images: jax.Array, labels: jax.Array, key: jax.Array, turned: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        if name == "none":
            return images, labels
        window_key, mirror_key, hole_key, mixing_key = jax.random.split(key, 4)
        count = len(images)
        border = NARROW_BORDER if name == "alternating" else BORDER
        top, left = jax.random.randint(window_key, (2, count), 0, 2 * border + 1)
        mirrored = jax.random.bernoulli(mirror_key, shape=(count,))
        if name == "shift" or not mirror:
            mirrored = jnp.zeros_like(mirrored)
        elif name == "alternating":
            mirrored = turned
        images = crop(images, top, left, mirrored, border=border, reflect=name == "alternating")
        if name == "cutout":
            images = cutout(images, _centres(images, hole_key))
        if name in ("mixup", "cutmix"):
            return _mixed(name, images, jax.nn.one_hot(labels, num_classes), mixing_key)
        return images, labels

    return augment


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
        border: pixels that are added on every side.
        reflect: whether the border shows the pixels inside it, else it is black.
    """
    sides = [(0, 0), (border, border), (border, border), (0, 0)]
    padded = jnp.pad(images, sides, "reflect" if reflect else "constant")
    windows = jax.vmap(
        lambda image, row, column: jax.lax.dynamic_slice(image, (row, column, 0), images.shape[1:])
    )(padded, top, left)
    return jnp.where(mirrored[:, None, None, None], windows[:, :, ::-1], windows)


def cutout(images: jax.Array, centre: jax.Array) -> jax.Array:
    """Black out a square of half the shorter side in each image, as `kcnn.data.augment.cutout`.

    Args:
        images: uint8 [B, H, W, C].
        centre: int32 [2, B], row and column of the middle of each hole.
    """
    sizes = jnp.full_like(centre, min(images.shape[1:3]) // 2)
    return jnp.where(_rectangles(images, centre, sizes), jnp.zeros_like(images), images)


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
    images: jax.Array, others: jax.Array, share: jax.Array, centre: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Paste a rectangle of another image into each image, as `kcnn.data.mixing.cutmix`.

    Args:
        images: uint8 [B, H, W, C].
        others: uint8 [B, H, W, C], the pixels are taken from the same place.
        share: float32 [B], what remains of the first image, 0 to 1.
        centre: int32 [2, B], row and column of the middle of each rectangle.

    Returns:
        The images, and the share that did remain, from the number of pixels.
    """
    height, width = images.shape[1:3]
    side = jnp.sqrt(1 - share)
    sizes = jnp.stack([side * height, side * width]).astype(jnp.int32)
    pasted = _rectangles(images, centre, sizes)
    return jnp.where(pasted, others, images), 1 - pasted.mean(axis=(1, 2, 3))


def _mixed(
    name: str, images: jax.Array, shares: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    partner_key, share_key, centre_key = jax.random.split(key, 3)
    partners = jax.random.permutation(partner_key, len(images))
    others, share = images[partners], jax.random.uniform(share_key, (len(images),))
    if name == "mixup":
        images = mixup(images, others, share)
    else:
        images, share = cutmix(images, others, share, _centres(images, centre_key))
    share = share[:, None]
    return images, share * shares + (1 - share) * shares[partners]


def _centres(images: jax.Array, key: jax.Array) -> jax.Array:
    """Draw a pixel of each image: row and column, int32 [2, B], every pixel equally likely."""
    count, height, width, _ = images.shape
    pixels = jax.random.randint(key, (count,), 0, height * width)
    return jnp.stack([pixels // width, pixels % width])


def _rectangles(images: jax.Array, centre: jax.Array, sizes: jax.Array) -> jax.Array:
    """Return which pixels of each image lie in its rectangle: bool [B, H, W, 1]."""
    start = centre - sizes // 2

    def inside(axis: int) -> jax.Array:
        distance = jnp.arange(images.shape[axis + 1]) - start[axis, :, None]
        return (distance >= 0) & (distance < sizes[axis, :, None])

    return (inside(0)[:, :, None] & inside(1)[:, None, :])[..., None]
