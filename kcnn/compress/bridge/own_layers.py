"""The layers of `kcnn.layers` and activations of Keras 3, written for Keras 2."""

import numpy as np


def define_activations() -> None:
    """Give the process Keras 3's `hard_sigmoid` and `hard_silu` under these names."""
    import tensorflow as tf
    import tf_keras

    def hard_sigmoid(x):
        return tf.nn.relu6(x + 3.0) / 6.0

    def hard_silu(x):
        return x * hard_sigmoid(x)

    own = {"hard_sigmoid": hard_sigmoid, "hard_silu": hard_silu}
    tf_keras.utils.get_custom_objects().update(own)


def make_own_layers() -> dict[str, type]:
    """Return the Keras 2 classes for layers of `kcnn.layers`, by class name.

    Their weights are set from the originals afterwards, so how they are initialized is irrelevant.
    """
    import tensorflow as tf
    import tf_keras

    class LocalResponseNormalization(tf_keras.layers.Layer):
        def __init__(self, depth_radius, bias, alpha, beta, **options):
            super().__init__(**options)
            self.settings = (depth_radius, bias, alpha, beta)

        def call(self, inputs):
            # TensorFlow's kernel accepts images only, but reads no further than the channels.
            images = tf.reshape(inputs, (1, 1, -1, inputs.shape[-1]))
            return tf.reshape(tf.nn.lrn(images, *self.settings), tf.shape(inputs))

    class PartiallyConnectedConv2D(tf_keras.layers.Layer):
        def __init__(self, connections, kernel_size, **options):
            super().__init__(**options)
            self.connections = connections
            self.links = [(seen, map_) for map_, row in enumerate(connections) for seen in row]
            self.kernel_size, self.maps = kernel_size, len(connections)

        def build(self, input_shape):
            positions = np.array([seen * self.maps + map_ for seen, map_ in self.links])
            self.placed = np.eye(input_shape[-1] * self.maps, dtype=np.float32)[positions]
            size = self.kernel_size
            self.kernel = self.add_weight("kernel", (size, size, len(self.links)))
            self.bias = self.add_weight("bias", (self.maps,))
            super().build(input_shape)

        def call(self, inputs):
            size = self.kernel_size
            kernel = tf.reshape(self.kernel @ self.placed, (size, size, -1, self.maps))
            return tf.nn.conv2d(inputs, kernel, 1, "VALID") + self.bias

        def get_config(self):
            own = {"connections": self.connections, "kernel_size": self.kernel_size}
            return super().get_config() | own

        def get_prunable_weights(self):
            return [self.kernel]

        def get_clusterable_weights(self):
            return [("kernel", self.kernel)]

        def get_clusterable_algorithm(self, weight_name):
            return None  # TF-MOT's default

    return {
        layer.__name__: layer for layer in (LocalResponseNormalization, PartiallyConnectedConv2D)
    }
