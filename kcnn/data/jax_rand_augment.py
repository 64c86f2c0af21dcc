"""The operations of RandAugment in JAX.

A compiled step has no parts of a batch of unknown size, as TensorFlow has: every change is computed
for all images, and each image takes the one that was drawn for it. What moves pixels is therefore a
single operation, with a matrix for each image.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from kcnn.color import LUMA
from kcnn.data.rand_operations import BITS, COLOR, DEGREES, NAMES, SHEAR, SHIFT, SMOOTH


def augmented(images: jax.Array, key: jax.Array, operations: int, strength: float) -> jax.Array:
    """Return images that were changed by operations, each drawn for each image.

    Args:
        images: uint8 [B, H, W, C].
        key: for the draws.
        operations: how many for each image.
        strength: of all of them, 0 to 1.
    """

    def change(images: jax.Array, round_key: jax.Array) -> tuple[jax.Array, None]:
        which, side = jax.random.split(round_key)
        chosen = jax.random.randint(which, (len(images),), 0, len(NAMES))
        signs = 2.0 * jax.random.bernoulli(side, shape=(len(images),)) - 1.0
        return changed(images, chosen, signs * strength), None

    # A loop of JAX: it compiles the operations once.
    return jax.lax.scan(change, images, jax.random.split(key, operations))[0]


def changed(images: jax.Array, chosen: jax.Array, strengths: jax.Array) -> jax.Array:
    """Apply to each image the operation that was chosen for it.

    Args:
        images: uint8 [B, H, W, C].
        chosen: int32 [B], places in `rand_operations.NAMES`.
        strengths: float32 [B], -1 to 1.
    """
    result = _moved(images, _matrices(images, chosen, strengths))  # the others stay in place
    for name, change in _CHANGES.items():
        mine = chosen == NAMES.index(name)
        result = jnp.where(mine[:, None, None, None], change(images, strengths), result)
    return result


def _matrices(images: jax.Array, chosen: jax.Array, strengths: jax.Array) -> jax.Array:
    """Return what moves each image, [B, 6]: see `_moved`."""
    height, width = images.shape[1:3]
    none, one = jnp.zeros_like(strengths), jnp.ones_like(strengths)
    angles = math.radians(DEGREES) * strengths
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    rows = {
        "shear_x": [one, SHEAR * strengths, none, none, one, none],
        "shear_y": [one, none, none, SHEAR * strengths, one, none],
        "shift_x": [one, none, SHIFT * width * strengths, none, one, none],
        "shift_y": [one, none, none, none, one, SHIFT * height * strengths],
        "rotate": [cos, -sin, none, sin, cos, none],
    }
    same = jnp.stack([one, none, none, none, one, none], axis=1)
    return jnp.select(
        [(chosen == NAMES.index(name))[:, None] for name in rows],
        [jnp.stack(row, axis=1) for row in rows.values()],
        same,
    )


def _moved(images: jax.Array, matrices: jax.Array) -> jax.Array:
    """Return images whose pixel (x, y), from their center, shows that at `matrix` (x, y, 1)."""
    height, width = images.shape[1:3]
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    y, x = jnp.meshgrid(jnp.arange(height) - middle_y, jnp.arange(width) - middle_x, indexing="ij")

    def one(image: jax.Array, matrix: jax.Array) -> jax.Array:
        a, b, c, d, e, f = matrix
        places = [d * x + e * y + f + middle_y, a * x + b * y + c + middle_x]
        return jax.vmap(lambda plane: map_coordinates(plane, places, 1), 2, 2)(image)

    moved = jax.vmap(one)(images.astype(jnp.float32), matrices)
    return jnp.round(moved).astype(jnp.uint8)


def _brightness(images: jax.Array, strengths: jax.Array) -> jax.Array:
    return _blended(images, jnp.zeros_like(images, jnp.float32), strengths)


def _contrast(images: jax.Array, strengths: jax.Array) -> jax.Array:
    return _blended(images, _gray(images).mean(axis=(1, 2, 3), keepdims=True), strengths)


def _color(images: jax.Array, strengths: jax.Array) -> jax.Array:
    return _blended(images, _gray(images), strengths)


def _sharpness(images: jax.Array, strengths: jax.Array) -> jax.Array:
    height, width = images.shape[1:3]
    if min(height, width) < 3:
        return images
    pixels = images.astype(jnp.float32)
    moved = [pixels[:, i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    inner = sum(share * each for share, each in zip(SMOOTH, moved, strict=True))
    # The outermost pixels stay as they are.
    smooth = pixels.at[:, 1:-1, 1:-1].set(jnp.round(inner))
    return _blended(images, smooth, strengths)


def _blended(images: jax.Array, others: jax.Array, strengths: jax.Array) -> jax.Array:
    """Return images that are moved away from others, or for a negative strength towards them."""
    factors = (1 + COLOR * strengths)[:, None, None, None]
    mixed = factors * images + (1 - factors) * others
    return jnp.round(mixed.clip(0, 255)).astype(jnp.uint8)


def _gray(images: jax.Array) -> jax.Array:
    luma = jnp.array(LUMA if images.shape[-1] == 3 else [1.0], jnp.float32)
    return (images.astype(jnp.float32) * luma).sum(axis=-1, keepdims=True)


def _posterize(images: jax.Array, strengths: jax.Array) -> jax.Array:
    lost = jnp.round(BITS * jnp.abs(strengths)).astype(jnp.uint8)[:, None, None, None]
    return (images >> lost) << lost


def _solarize(images: jax.Array, strengths: jax.Array) -> jax.Array:
    thresholds = 255 * (1 - jnp.abs(strengths))[:, None, None, None]
    return jnp.where(images >= thresholds, 255 - images, images)


def _autocontrast(images: jax.Array, strengths: jax.Array) -> jax.Array:
    pixels = images.astype(jnp.float32)
    low = pixels.min(axis=(1, 2), keepdims=True)
    high = pixels.max(axis=(1, 2), keepdims=True)
    stretched = (pixels - low) * (255.0 / jnp.maximum(high - low, 1))
    return jnp.where(high > low, stretched, pixels).astype(jnp.uint8)


def _equalize(images: jax.Array, strengths: jax.Array) -> jax.Array:
    """Spread the values of each channel evenly, as Pillow's `ImageOps.equalize`."""

    def one(values: jax.Array) -> jax.Array:
        histogram = jnp.bincount(values, length=256)
        # Of the brightest value that occurs, no pixel is to become brighter.
        step = (len(values) - histogram[values.max()]) // 255
        before = jnp.cumsum(histogram) - histogram
        table = jnp.minimum((before + step // 2) // jnp.maximum(step, 1), 255)
        return jnp.where(step > 0, table[values], values)

    batch, height, width, channels = images.shape
    flat = images.astype(jnp.int32).reshape(batch, height * width, channels)
    equal = jax.vmap(jax.vmap(one, 1, 1))(flat)
    return equal.reshape(images.shape).astype(jnp.uint8)


_Change = Callable[[jax.Array, jax.Array], jax.Array]
"""(images uint8 [B, H, W, C], strengths float32 [B], -1 to 1) -> images."""

_CHANGES: dict[str, _Change] = {
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
