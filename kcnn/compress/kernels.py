"""The kernels that pruning and clustering change, and how many of their weights are zero."""

from collections.abc import Iterable

import keras
import numpy as np

from kcnn.errors import unknown

# Layer class -> the weight that TF-MOT prunes. Biases, batch norms and depthwise kernels are not
# pruned: they are few weights, and losing them costs the most accuracy.
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
        # The first known class: a layer for quantization-aware training subclasses its stock layer.
        names = (each.__name__ for each in layer.__class__.__mro__)
        weight = next((PRUNED_WEIGHT[name] for name in names if name in PRUNED_WEIGHT), None)
        if weight:
            found[layer.name] = getattr(layer, weight)
    return found


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the values of the prunable kernels, by the layer's name."""
    return {name: np.asarray(kernel) for name, kernel in kernel_variables(model).items()}


def zero_fractions(model: keras.Model) -> dict[str, float]:
    """Return the fraction of exact zeros in each prunable kernel, by the layer's name."""
    return {name: float(np.mean(kernel == 0)) for name, kernel in kernels(model).items()}


def sparsity(model: keras.Model) -> float:
    """Return the fraction of weights in convolution and dense kernels that are exactly zero.

    It is measured on the weights, so it holds for any model, however it was made. Use it to check
    that zeros have survived a training or a conversion.

    Args:
        model: any built Keras model. Biases, batch norms and depthwise kernels do not count.

    Returns:
        0 to 1; 0 for a model without such kernels.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0.5, 0.0], [0.0, 0.0]]), np.zeros(2)])
    >>> sparsity(model)
    0.75
    """
    values = [kernel.ravel() for kernel in kernels(model).values()]
    return float(np.mean(np.concatenate(values) == 0)) if values else 0.0


def read_names(exclude: Iterable[str]) -> frozenset[str]:
    """Return the names in the argument `exclude`, which may be an iterator.

    Raises:
        ValueError: it is a single string, which would be read as one name a letter.
    """
    if isinstance(exclude, str):
        raise ValueError(f"exclude must hold names of layers: exclude=({exclude!r},).")
    return frozenset(exclude)


def select_kernels(model: keras.Model, exclude: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the prunable kernels of `model` by layer name, without the layers in `exclude`.

    Raises:
        ValueError: `exclude` names a layer that has no kernel, or leaves none, or is a single
            string; or the model has no kernel at all.
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
