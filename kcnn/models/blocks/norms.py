"""Normalization of maps between a convolution and its activation."""

import keras

from kcnn.errors import unknown
from kcnn.layers import BatchNormalization

# Keras's 0.99 needs some 500 steps to forget its initial value: too slow for runs of a few epochs.
BATCH_NORM_MOMENTUM = 0.9

NORMS = ("batch", "group", "layer", "none")

_GROUPS = 8


def batch_norm(name: str) -> keras.layers.BatchNormalization:
    """Return the batch normalization of the layer `name`; its own name is `{name}_bn`."""
    return BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")


def norm(kind: str, *, name: str) -> list[keras.layers.Layer]:
    """Return the normalization of the maps of layer `name`.

    "batch" uses the statistics of a channel over a batch (Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167), "group" those of eight groups of channels of one image (Wu
    and He 2018, https://arxiv.org/abs/1803.08494), "layer" those of all channels of one image (Ba
    et al. 2016, https://arxiv.org/abs/1607.06450), "none" is no layer. Only batch norms fold into
    the convolution when the model is exported.

    Args:
        kind: one of `NORMS`.
        name: of the layer that is normalized; for "group" its channels divide by 8.

    Raises:
        ValueError: `kind` is unknown.

    >>> [layer.name for layer in norm("group", name="conv1")]
    ['conv1_gn']
    """
    if kind not in NORMS:
        raise unknown("norm", kind, NORMS)
    if kind == "batch":
        return [batch_norm(name)]
    if kind == "none":
        return []
    groups, suffix = (_GROUPS, "gn") if kind == "group" else (1, "ln")
    return [keras.layers.GroupNormalization(groups, name=f"{name}_{suffix}")]
