"""The weights that pruning thins out, and how many of them are zero."""

from collections.abc import Iterable

import keras
import numpy as np

from kcnn.errors import unknown

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


def kernel_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the prunable kernel of each layer that has one, by the layer's name."""
    found = {}
    for layer in model.layers:
        # The first class that is known: a layer for quantisation-aware training extends its stock
        # layer.
        names = (each.__name__ for each in layer.__class__.__mro__)
        weight = next((PRUNED_WEIGHT[name] for name in names if name in PRUNED_WEIGHT), None)
        if weight:
            found[layer.name] = getattr(layer, weight)
    return found


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the values of the prunable kernels, by the layer's name."""
    return {name: np.asarray(kernel) for name, kernel in kernel_variables(model).items()}


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


def read_names(exclude: Iterable[str]) -> frozenset[str]:
    """Return the names in an argument `exclude`, which may be an iterator.

    Raises:
        ValueError: it is a single string, whose letters would be taken for names.
    """
    if isinstance(exclude, str):
        raise ValueError(f"exclude must hold names of layers: exclude=({exclude!r},).")
    return frozenset(exclude)


def select_kernels(model: keras.Model, exclude: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the kernels of `model` but for those of the layers named.

    Raises:
        ValueError: there is no such layer, no kernel is left, or `exclude` is a single string.
    """
    found = kernels(model)
    if not found:
        raise ValueError(f"Model {model.name!r} has no kernel of {', '.join(PRUNED_WEIGHT)}.")
    excluded = read_names(exclude)
    for name in sorted(excluded - found.keys()):
        raise unknown("layer", name, found)
    if excluded == found.keys():
        raise ValueError("exclude names every layer that has a kernel: leave one out of it.")
    return {name: kernel for name, kernel in found.items() if name not in excluded}
