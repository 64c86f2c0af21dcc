"""What happens to the pixels of a batch in JAX, once the random numbers are drawn."""

import jax
import jax.numpy as jnp

from kcnn.data.operations import BORDER


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


def centers(images: jax.Array, key: jax.Array) -> jax.Array:
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


def resample(images: jax.Array, start: jax.Array, seen: jax.Array) -> jax.Array:
    """Return a part of each image in the size of the whole, bilinear, black outside the image.

    Args:
        images: uint8 [B, H, W, C].
        start: float32 [2, B], where the part begins from above and from the left, in pixels.
        seen: float32 [2, B], its height and width in pixels.
    """
    scale = jnp.array(images.shape[1:3], jnp.float32)[:, None] / seen

    def one(image: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
        return jax.image.scale_and_translate(
            image, image.shape, (0, 1), scale, shift, method="linear", antialias=False
        )

    changed = jax.vmap(one)(images.astype(jnp.float32), scale.T, (-start * scale).T)
    return jnp.round(changed).astype(jnp.uint8)
