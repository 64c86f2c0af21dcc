"""Layers that Keras lacks, that train faster than Keras's own, or that compute as int8 models do.

Importing this package registers the layers with Keras, so that it can load models with them.
"""

from kcnn.layers.batch_norm import BatchNormalization
from kcnn.layers.fake_quantize import FakeQuantize, fake_quantized_kernel
from kcnn.layers.fast import fast_training
from kcnn.layers.local_response_normalization import LocalResponseNormalization
from kcnn.layers.partially_connected_conv import PartiallyConnectedConv2D
from kcnn.layers.qat_layers import (
    QuantizeAwareConv2D,
    QuantizeAwareDense,
    QuantizeAwareDepthwiseConv2D,
    QuantizeAwareLocalResponseNormalization,
    QuantizeAwarePartiallyConnectedConv2D,
)
from kcnn.layers.reflection_padding import ReflectionPadding
from kcnn.layers.window_pooling import GlobalL2Pooling, WindowPooling

__all__ = [
    "BatchNormalization",
    "FakeQuantize",
    "GlobalL2Pooling",
    "LocalResponseNormalization",
    "PartiallyConnectedConv2D",
    "QuantizeAwareConv2D",
    "QuantizeAwareDense",
    "QuantizeAwareDepthwiseConv2D",
    "QuantizeAwareLocalResponseNormalization",
    "QuantizeAwarePartiallyConnectedConv2D",
    "ReflectionPadding",
    "WindowPooling",
    "fake_quantized_kernel",
    "fast_training",
]
