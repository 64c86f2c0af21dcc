"""Batches whose images are mixed with each other, and their labels in the same shares.

As in `augment`, all are pure functions of a batch and of a seed, with a draw for every image. (The
papers' own code draws one share, and one rectangle, for a whole batch; their equations do not.)
"""

from collections.abc import Callable

import tensorflow as tf

from kcnn.data import draws
from kcnn.data.operations import Augment, chain
from kcnn.data.pixels import centers, rectangles, size_of

_STREAM = 1  # folded into the seed, from which `augment` draws

Mixing = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def mixing(augment: Augment, num_classes: int) -> Mixing:
    """Return the function (images uint8 [B, H, W, C], labels int32 [B], seed) -> (images, labels).

    "mixup" and "cutmix" mix each image with another one of the batch (or, rarely, with itself). The
    labels become soft, float32 [B, num_classes]: the share of each class in the image; they sum to
    1. The share is drawn from Beta(1, 1), the uniform distribution, as both papers do for CIFAR.
    Any other augmentation leaves images and labels as they are.

    Args:
        augment: A name, a function of your own, or a list of them, as in `kcnn.data.load`.
        num_classes: Number of different labels.

    >>> mix = mixing("mixup", num_classes=3)
    >>> images, labels = tf.zeros([2, 8, 8, 1], tf.uint8), tf.constant([0, 2])
    >>> mix(images, labels, tf.constant([0, 1], tf.int64))[1].shape
    TensorShape([2, 3])
    """
    last = chain(augment, "tensorflow")[-1:]
    if not last or not last[0].mixes:
        return lambda images, labels, seed: (images, labels)

    def mix(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(images)[0]
        seeds = tf.unstack(draws.split(draws.fold_in(seed, _STREAM), 3))
        partners = draws.shuffle(tf.range(count), seeds[0])
        others = tf.gather(images, partners)
        share = draws.floats([count], seeds[1])
        if last[0].name == "mixup":
            images = mixup(images, others, share)
        else:
            images, share = cutmix(images, others, share, centers(images, seeds[2]))
        labels = tf.one_hot(labels, num_classes)
        share = share[:, tf.newaxis]
        return images, share * labels + (1 - share) * tf.gather(labels, partners)

    return mix


def mixup(images: tf.Tensor, others: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Blend each image with another one, and round.

    Paper: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2017),
    https://arxiv.org/abs/1710.09412.

    Args:
        images: uint8 [B, H, W, C].
        others: uint8 [B, H, W, C].
        share: float32 [B], of the first image, 0 to 1.
    """
    share = share[:, tf.newaxis, tf.newaxis, tf.newaxis]
    blended = share * tf.cast(images, tf.float32) + (1 - share) * tf.cast(others, tf.float32)
    return tf.cast(tf.round(blended), tf.uint8)


def cutmix(
    images: tf.Tensor, others: tf.Tensor, share: tf.Tensor, center: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Paste a rectangle of another image, of the image's own proportions, into each image.

    Paper: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features" (2019), https://arxiv.org/abs/1905.04899. (On CIFAR, the paper cuts and
    pastes in every other batch only.)

    Args:
        images: uint8 [B, H, W, C].
        others: uint8 [B, H, W, C], whose pixels are pasted in the same place.
        share: float32 [B], how much of the first image remains, 0 to 1.
        center: int32 [2, B], row and column of the middle of each rectangle, which is clipped at
            the image's border.

    Returns:
        The images, and the share of pixels that remained, float32 [B].
    """
    side = tf.sqrt(1 - share)
    height, width, _ = size_of(images)
    sizes = [tf.cast(side * length, tf.int32) for length in (height, width)]
    pasted = rectangles(images, center, tf.stack(sizes))
    remaining = 1 - tf.reduce_mean(tf.cast(pasted, tf.float32), axis=[1, 2, 3])
    return images * (1 - pasted) + others * pasted, remaining
