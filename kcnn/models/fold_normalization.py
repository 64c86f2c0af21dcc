"""Fold the normalization of the pixels into the layer that reads it."""

from typing import Any

import keras
import numpy as np

from kcnn.models.rewrite import drop_layers, find_sole_readers


def fold_normalization(model: keras.Model) -> keras.Model:
    """Return the same function of the pixels without its normalization layer.

    A convolution of `scale * pixels + shift` is a convolution of `pixels` with its kernel times
    `scale` and its bias plus the sum of kernel times `shift`, and the same holds for a dense layer.
    Left in the graph, the layer would cost an int8 model two more operators over the whole image
    and up to 0.75 points of accuracy, since its output is rounded to 8 bits before the convolution.

    Folded is every `Normalization` with per-channel constants and every `Rescaling` that is read
    by one `Conv2D` or `Dense` layer and by nothing else, if need be through a `Flatten`. The
    convolution must not pad (its zeros would stand for the mean color, not for black), unless
    there is no shift.

    Args:
        model: a built Sequential or Functional model. It is not changed.

    Returns:
        A new model of new layers for inference, or `model` itself if there is nothing to fold.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255),
    ...                           keras.layers.Conv2D(4, 3), keras.layers.ReLU()])
    >>> [layer.__class__.__name__ for layer in fold_normalization(model).layers]
    ['InputLayer', 'Conv2D', 'ReLU']
    """
    # A functional model of the same layers: a Sequential has no graph to edit.
    graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    pairs = find_foldable(graph)
    if not pairs:
        return model
    while pairs:
        layers = {layer.name: layer for layer in graph.layers}
        graph = drop_layers(
            graph,
            set(pairs),
            {reader: _absorb(layers[reader], layers[name]) for name, reader in pairs.items()},
        )
        pairs = find_foldable(graph)
    return graph


def find_foldable(model: keras.Model) -> dict[str, str]:
    """Return, for each scaling layer that can be folded, the name of the layer that reads it."""
    layers = {layer.name: layer for layer in model.layers}
    readers = find_sole_readers(model)
    pairs = {}
    for name, reader in readers.items():
        if _keeps_channels_last(layers.get(reader)):
            reader = readers.get(reader, "")
        if _can_fold(layers.get(name), layers.get(reader)):
            pairs[name] = reader
    return pairs


def scale_and_shift(layer: Any, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the scale and shift of every channel, None if the layer does more than that.

    Args:
        layer: any layer, or None.
        size: rows of the kernel that reads the layer. Of a dense layer that reads flattened
            images, they go through the channels again and again, so both are repeated.

    Returns:
        Two float64 arrays [size].
    """
    if layer.__class__ is keras.layers.Rescaling:
        scale, shift = _float64(layer.scale), _float64(layer.offset)
    elif layer.__class__ is keras.layers.Normalization:
        mean, variance = _float64(layer.mean), _float64(layer.variance)
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    else:
        return None
    if not all(
        values.shape in ((), (values.size,), (1, 1, 1, values.size)) for values in (scale, shift)
    ):
        return None
    return np.resize(scale, size), np.resize(shift, size)


def _float64(values: Any) -> np.ndarray:
    return np.asarray(values, "float64")


def _keeps_channels_last(layer: Any) -> bool:
    return layer.__class__ is keras.layers.Flatten and layer.data_format == "channels_last"


def _can_fold(scaling: Any, reader: Any) -> bool:
    # `__class__`, not `type`: a fast layer of kcnn answers with the Keras layer it replaces.
    convolution = reader.__class__ is keras.layers.Conv2D
    if convolution and (reader.groups != 1 or reader.data_format != "channels_last"):
        return False
    if not convolution and reader.__class__ is not keras.layers.Dense:
        return False
    affine = scale_and_shift(scaling, reader.kernel.shape[-2])
    pads = convolution and reader.padding != "valid"
    return affine is not None and not (pads and affine[1].any())


def _absorb(reader: Any, scaling: Any) -> list[np.ndarray]:
    """Return the kernel and bias with which the reader does the scaling layer's work too."""
    kernel, *bias = (_float64(weights) for weights in reader.get_weights())
    affine = scale_and_shift(scaling, kernel.shape[-2])
    if affine is None:
        raise ValueError(f"Layer {scaling.name!r} cannot be folded: see find_foldable.")
    scale, shift = affine
    pixels = tuple(range(kernel.ndim - 2))  # a dense kernel has none
    summed = (bias[0] if bias else 0.0) + shift @ kernel.sum(axis=pixels)
    return [kernel * scale[:, None], summed]
