"""RandAugment: a few operations that are drawn for each image, all with one strength.

The operations are in `tf_rand_augment` and `jax_rand_augment`. This file needs neither library.
"""

import sys
from typing import Any

from kcnn.checks import check_count

STRONGEST = 30


def rand_augment(images: Any, seed: Any, *, operations: int = 2, magnitude: int = 9) -> Any:
    """Apply operations to each image, one after the other, each drawn from fourteen.

    They are: nothing, shear and shift along either axis, rotation, brightness, color, contrast,
    sharpness, posterize, solarize, autocontrast and equalize, as in torchvision; what moves is
    bilinear, on black. As an augmentation, "rand_augment" has the defaults. For others, pass a
    function of your own: `functools.partial(kcnn.data.rand_augment, magnitude=15)`.

    Paper: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
    space" (2019), https://arxiv.org/abs/1909.13719.

    Args:
        images: uint8 [B, H, W, 1 or 3], 0 to 255, of TensorFlow or JAX.
        seed: as `kcnn.data.load` gives it to a function of your own: int64 [2]; for JAX a key.
        operations: How many for each image.
        magnitude: How strong they are, 0 to 30.

    Returns:
        uint8 [B, H, W, C], of the same library. Each draws other numbers.

    Raises:
        ValueError: If a number is out of its range.

    >>> import tensorflow as tf
    >>> images = tf.zeros([4, 8, 8, 3], tf.uint8)
    >>> rand_augment(images, tf.constant([0, 1], tf.int64)).shape
    TensorShape([4, 8, 8, 3])
    """
    check_count("operations", operations)
    check_count("magnitude", magnitude, minimum=0)
    if magnitude > STRONGEST:
        raise ValueError(f"magnitude must be 0 to {STRONGEST}. Received: magnitude={magnitude}")
    # What is not loaded has not made the images, and may not be installed.
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(images, jax.Array):
        from kcnn.data.jax_rand_augment import augmented
    else:
        from kcnn.data.tf_rand_augment import augmented
    return augmented(images, seed, operations, magnitude / STRONGEST)
