"""The kinds of layers whose channels can be followed."""

from collections.abc import Callable, Sequence

import keras

from kcnn.compress.filters import making, passing
from kcnn.compress.filters.channels import Channels, Labels
from kcnn.compress.filters.rule import Rule, barrier
from kcnn.layers import LocalResponseNormalization, PartiallyConnectedConv2D


def rule(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return what `layer` does to the channels of its inputs, and tie those that it ties.

    Raises:
        ValueError: the layer is of no known kind, or computes with channels in an unknown way.
    """
    # `__class__`, because kcnn's batch norm is stock in this respect.
    known = _RULES.get(layer.__class__)
    if known is None:
        raise ValueError("of this kind it is not known which channels belong together.")
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    if not channels_last and known is not passing.borders:
        raise ValueError("it has data_format='channels_first'.")
    return known(layer, inputs, channels)


def _each(names: str, known: Callable) -> dict[type, Callable]:
    return {getattr(keras.layers, name): known for name in names.split()}


_RULES = {
    PartiallyConnectedConv2D: making.partially_connected,
    # It looks at the channels beside each, whose places must not change.
    LocalResponseNormalization: barrier,
    **_each("Conv1D Conv2D Conv3D", making.convolution),
    **_each("Conv1DTranspose Conv2DTranspose Conv3DTranspose", making.transposed),
    **_each("SeparableConv1D SeparableConv2D", making.separable),
    **_each("DepthwiseConv1D DepthwiseConv2D", making.depthwise),
    **_each("Dense", making.dense),
    **_each("BatchNormalization", passing.batch_norm),
    **_each("Activation", passing.activation),
    **_each(
        "ReLU LeakyReLU ELU GaussianDropout GaussianNoise ActivityRegularization", passing.unchanged
    ),
    **_each("PReLU", passing.prelu),
    **_each("Rescaling", passing.rescaling),
    **_each("Dropout AlphaDropout", passing.dropout),
    **_each("SpatialDropout1D SpatialDropout2D SpatialDropout3D", passing.unchanged),
    **_each("MaxPooling1D MaxPooling2D MaxPooling3D", passing.unchanged),
    **_each("AveragePooling1D AveragePooling2D AveragePooling3D", passing.unchanged),
    **_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", passing.unchanged),
    **_each(
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", passing.unchanged
    ),
    **_each("UpSampling1D UpSampling2D UpSampling3D", passing.unchanged),
    **_each("ZeroPadding1D ZeroPadding2D ZeroPadding3D", passing.borders),
    **_each("Cropping1D Cropping2D Cropping3D", passing.borders),
    **_each("Flatten", passing.flatten),
    **_each("Reshape", passing.reshape),
    **_each("Add Average Maximum Minimum Multiply Subtract", passing.merge),
    **_each("Concatenate", passing.concatenate),
    # They compute with all channels of a pixel, or with constants for each.
    **_each("Normalization LayerNormalization GroupNormalization RMSNormalization", barrier),
    **_each("UnitNormalization Softmax", barrier),
}
