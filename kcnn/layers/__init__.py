"""The layers that Keras lacks, or that it has and TensorFlow runs faster."""

from kcnn.layers.batch_norm import BatchNormalization

__all__ = ["BatchNormalization"]
