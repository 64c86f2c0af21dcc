"""The kinds of layers whose channels can be followed."""

from collections.abc import Callable, Sequence

import keras

from kcnn.compress.filters import kernel_layers, passthrough_layers
from kcnn.compress.filters.channels import Channels, Labels
from kcnn.compress.filters.rule import Rule, barrier
from kcnn.layers import LocalResponseNormalization, PartiallyConnectedConv2D


def find_rule(layer: keras.layers.Layer, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return what `layer` does to the channels of its inputs, and tie those that it ties.

    Raises:
        ValueError: the layer is of no known kind, or computes with channels in an unknown way.
    """
    # `__class__`, because kcnn's batch norm is stock in this respect.
    known = RULES.get(layer.__class__)
    if known is None:
        raise ValueError("of this kind it is not known which channels belong together.")
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    if not channels_last and known is not passthrough_layers.borders:
        raise ValueError("it has data_format='channels_first'.")
    return known(layer, inputs, channels)


def _map_names(names: str, known: Callable) -> dict[type, Callable]:
    return {getattr(keras.layers, name): known for name in names.split()}


RULES = {
    PartiallyConnectedConv2D: kernel_layers.partially_connected,
    # It looks at the channels beside each, whose places must not change.
    LocalResponseNormalization: barrier,
    **_map_names("Conv1D Conv2D Conv3D", kernel_layers.convolution),
    **_map_names("Conv1DTranspose Conv2DTranspose Conv3DTranspose", kernel_layers.transposed),
    **_map_names("SeparableConv1D SeparableConv2D", kernel_layers.separable),
    **_map_names("DepthwiseConv1D DepthwiseConv2D", kernel_layers.depthwise),
    **_map_names("Dense", kernel_layers.dense),
    **_map_names("BatchNormalization", passthrough_layers.batch_norm),
    **_map_names("Activation", passthrough_layers.activation),
    **_map_names(
        "ReLU LeakyReLU ELU GaussianDropout GaussianNoise ActivityRegularization",
        passthrough_layers.unchanged,
    ),
    **_map_names("PReLU", passthrough_layers.prelu),
    **_map_names("Rescaling", passthrough_layers.rescaling),
    **_map_names("Dropout AlphaDropout", passthrough_layers.dropout),
    **_map_names(
        "SpatialDropout1D SpatialDropout2D SpatialDropout3D", passthrough_layers.unchanged
    ),
    **_map_names("MaxPooling1D MaxPooling2D MaxPooling3D", passthrough_layers.unchanged),
    **_map_names(
        "AveragePooling1D AveragePooling2D AveragePooling3D", passthrough_layers.unchanged
    ),
    **_map_names(
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", passthrough_layers.unchanged
    ),
    **_map_names(
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
        passthrough_layers.unchanged,
    ),
    **_map_names("UpSampling1D UpSampling2D UpSampling3D", passthrough_layers.unchanged),
    **_map_names("ZeroPadding1D ZeroPadding2D ZeroPadding3D", passthrough_layers.borders),
    **_map_names("Cropping1D Cropping2D Cropping3D", passthrough_layers.borders),
    **_map_names("Flatten", passthrough_layers.flatten),
    **_map_names("Reshape", passthrough_layers.reshape),
    **_map_names("Add Average Maximum Minimum Multiply Subtract", passthrough_layers.merge),
    **_map_names("Concatenate", passthrough_layers.concatenate),
    # They compute with all channels of a pixel, or with constants for each.
    **_map_names("Normalization LayerNormalization GroupNormalization RMSNormalization", barrier),
    **_map_names("UnitNormalization Softmax", barrier),
}
