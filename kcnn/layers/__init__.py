"""The layers that Keras lacks, or that it has and TensorFlow runs faster."""

from kcnn.layers.batch_norm import BatchNormalization
from kcnn.layers.local_response_normalization import LocalResponseNormalization
from kcnn.layers.partially_connected_conv import PartiallyConnectedConv2D

__all__ = ["BatchNormalization", "LocalResponseNormalization", "PartiallyConnectedConv2D"]
