"""The weights that pruning thins out, and how many of them are zero."""

import keras
import numpy as np

# What TF-MOT prunes of each layer. Biases, batch norms and depthwise kernels stay whole: they are
# few weights, and a network misses them most.
PRUNED_WEIGHT = {
    "Conv1D": "kernel",
    "Conv2D": "kernel",
    "Conv3D": "kernel",
    "Dense": "kernel",
    "PartiallyConnectedConv2D": "kernel",
    "SeparableConv2D": "pointwise_kernel",
}


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the prunable kernel of each layer that has one, by the layer's name."""
    return {
        layer.name: np.asarray(getattr(layer, PRUNED_WEIGHT[layer.__class__.__name__]))
        for layer in model.layers
        if layer.__class__.__name__ in PRUNED_WEIGHT
    }


def zero_fractions(model: keras.Model) -> dict[str, float]:
    """Return which fraction of each prunable kernel is exactly zero, by the layer's name."""
    return {name: float(np.mean(kernel == 0)) for name, kernel in kernels(model).items()}


def sparsity(model: keras.Model) -> float:
    """Return which fraction of the convolution and dense kernels is exactly zero, 0 to 1.

    Measured on the weights themselves, so it holds for any model, however it was made.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0.5, 0.0], [0.0, 0.0]]), np.zeros(2)])
    >>> sparsity(model)
    0.75
    """
    values = [kernel.ravel() for kernel in kernels(model).values()]
    return float(np.mean(np.concatenate(values) == 0)) if values else 0.0
