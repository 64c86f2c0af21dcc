"""A network that tests prune on both backends."""

import keras
import numpy as np


def network():
    """Return one with equal weights on all backends."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(10, name="logits"),
        ]
    )
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.2, variable.shape))
    return model


def zeros(model):
    """Return the number of zeros in each kernel."""
    kernels = {layer.name: np.asarray(layer.kernel) for layer in model.layers[-5:] if layer.weights}
    return {name: int(np.count_nonzero(kernel == 0)) for name, kernel in kernels.items()}
