"""The rule function of every kind of layer whose channels can be followed."""

from collections.abc import Sequence

import keras

from kcnn.compress.filters import kernel_layers, passthrough
from kcnn.compress.filters.channels import Channels, Labels
from kcnn.compress.filters.rule import Rule, RuleFunction, barrier
from kcnn.layers import (
    GlobalL2Pooling,
    LocalResponseNormalization,
    PartiallyConnectedConv2D,
    ReflectionPadding,
    WindowPooling,
)


def find_rule(layer: keras.Operation, inputs: Sequence[Labels], channels: Channels) -> Rule:
    """Return the rule of `layer`, and tie the channels that it ties.

    Raises:
        ValueError: no rule is known for this kind of layer, or its channels come first.
    """
    # `__class__`, because kcnn's batch norm reports the stock class there.
    rule_function = RULES.get(layer.__class__)
    if rule_function is None:
        raise ValueError("for this kind of layer it is not known which channels belong together.")
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    if not channels_last and rule_function is not passthrough.borders:
        raise ValueError("it has data_format='channels_first'.")
    return rule_function(layer, inputs, channels)


def _for_each(names: str, rule_function: RuleFunction) -> dict[type, RuleFunction]:
    return {getattr(keras.layers, name): rule_function for name in names.split()}


RULES: dict[type, RuleFunction] = {
    PartiallyConnectedConv2D: kernel_layers.partially_connected,
    # It reads the neighbors of each channel, which must keep their positions.
    LocalResponseNormalization: barrier,
    **dict.fromkeys((ReflectionPadding, WindowPooling, GlobalL2Pooling), passthrough.unchanged),
    **_for_each("Conv1D Conv2D Conv3D", kernel_layers.convolution),
    **_for_each("Conv1DTranspose Conv2DTranspose Conv3DTranspose", kernel_layers.transposed),
    **_for_each("SeparableConv1D SeparableConv2D", kernel_layers.separable),
    **_for_each("DepthwiseConv1D DepthwiseConv2D", kernel_layers.depthwise),
    **_for_each("Dense", kernel_layers.dense),
    **_for_each("BatchNormalization", passthrough.batch_norm),
    **_for_each("Activation", passthrough.activation),
    **_for_each(
        "ReLU LeakyReLU ELU GaussianDropout GaussianNoise ActivityRegularization",
        passthrough.unchanged,
    ),
    **_for_each("PReLU", passthrough.prelu),
    **_for_each("Rescaling", passthrough.rescaling),
    **_for_each("Dropout AlphaDropout", passthrough.dropout),
    **_for_each("SpatialDropout1D SpatialDropout2D SpatialDropout3D", passthrough.unchanged),
    **_for_each("MaxPooling1D MaxPooling2D MaxPooling3D", passthrough.unchanged),
    **_for_each("AveragePooling1D AveragePooling2D AveragePooling3D", passthrough.unchanged),
    **_for_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", passthrough.unchanged),
    **_for_each(
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
        passthrough.unchanged,
    ),
    **_for_each(
        "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", passthrough.unchanged
    ),
    **_for_each(
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
        passthrough.unchanged,
    ),
    **_for_each("UpSampling1D UpSampling2D UpSampling3D", passthrough.unchanged),
    **_for_each("ZeroPadding1D ZeroPadding2D ZeroPadding3D", passthrough.borders),
    **_for_each("Cropping1D Cropping2D Cropping3D", passthrough.borders),
    **_for_each("Flatten", passthrough.flatten),
    **_for_each("Reshape", passthrough.reshape),
    **_for_each("Add Average Maximum Minimum Multiply Subtract", passthrough.merge),
    **_for_each("Concatenate", passthrough.concatenate),
    # They compute with all channels of a pixel, or with one constant for each channel.
    **_for_each("Normalization LayerNormalization GroupNormalization RMSNormalization", barrier),
    **_for_each("UnitNormalization Softmax", barrier),
}
