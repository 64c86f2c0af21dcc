"""Fold whatever a model does to each pixel first into its first convolution, also a padded one.

`kcnn.models.fold_normalization` folds scaling layers. Here a part of the graph counts by what it
computes: if it multiplies the channels of each pixel by a matrix and adds a vector, the first
convolution can do it, whether layers or operations make it, and whether red and blue change places.

A padded convolution pads its zeros after the shift, which raw pixels cannot tell from black. One
more channel can: it is white, 255, wherever there is an image, and padded with 0 as the others. The
shift becomes its part of the kernel.
"""

import logging
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.nodes import node_of, nodes_of, readers_of, times_called
from kcnn.errors import one_line
from kcnn.models.copies import copy_layer
from kcnn.models.flatten import flatten
from kcnn.models.fold_normalization import fold_normalization
from kcnn.models.plain_layers import as_layers

logger = logging.getLogger("kcnn")

ops: Any = keras.ops

_WHITE = 255.0
_EXACT = 1e-4  # relative to the largest number that the convolution gets


def fold_pixels(model: keras.Model) -> keras.Model:
    """Return the same function of raw float pixels, which its first kernel gets unchanged.

    Args:
        model: from images, also of integers, to one output. It is not changed.

    Returns:
        A new model; `model` itself if it does nothing to the pixels first. What a kernel cannot do
        stays as it is.

    Raises:
        ValueError: the model takes integers and cannot be rebuilt for floats.
    """
    model = opened(model)
    for fold in (fold_normalization, _fold_entrance):
        try:
            model = fold(model)
        except Exception:  # layers of the user's own raise anything when they are copied
            logger.debug("%s leaves %r as it is.", fold.__name__, model.name, exc_info=True)
    return model


def opened(model: keras.Model) -> keras.Model:
    """Return the same function of float pixels as one graph of layers, where one can be made.

    Args:
        model: as for `fold_pixels`.

    Returns:
        What `kcnn.models.as_layers` makes of it; `model` itself if layers cannot be copied.

    Raises:
        ValueError: the model takes integers and cannot be rebuilt for floats.
    """
    try:
        return as_layers(model)
    except Exception as error:  # layers of the user's own raise anything when they are copied
        dtype = model.inputs[0].dtype
        if dtype != "float32":
            raise ValueError(
                f"Model {model.name!r} takes images of {dtype} and cannot be rebuilt for float32 "
                f"({one_line(error)}): build it with keras.Input(shape), and set_weights."
            ) from error
        logger.debug("Model %r is exported as it is.", model.name, exc_info=True)
        return model


def _fold_entrance(model: keras.Model) -> keras.Model:
    if _find(keras.Model(model.inputs[0], model.outputs[0])) is None:
        return model
    graph = flatten(model)  # new layers: to cut a graph in two adds calls to its layers
    found = _find(graph)
    affine = None if found is None else _measure(keras.Model(graph.inputs[0], found.tensor))
    return model if found is None or affine is None else _rebuild(graph, found, *affine)


@dataclass(frozen=True)
class _Entrance:
    """Where the first convolution of a model is.

    Attributes:
        convolution: it.
        tensor: what it gets, before it is padded.
        padded: whether it is.
    """

    convolution: Any
    tensor: Any
    padded: bool


def _find(graph: Any) -> _Entrance | None:
    """Return the entrance of a model that changes its pixels first; None for any other model.

    None also where others read the scaled or the padded image: they would get raw pixels.
    """
    node = _first_convolution(graph)
    if node is None:
        return None
    convolution = node.operation
    tensors = _padded_tensors(node.input_tensors[0])
    tensor = tensors[-1]
    shared = any(len(readers_of(graph, each)) != 1 for each in tensors)
    if tensor is graph.inputs[0] or shared or not _is_only_way(graph, tensor):
        return None
    padded = len(tensors) > 1 or convolution.padding != "valid"
    return _Entrance(convolution, tensor, padded)


def _first_convolution(graph: Any) -> Any:
    """Return the call of the first layer with weights, if that is a convolution called once."""
    for node in nodes_of(graph):
        layer = node.operation
        constant = isinstance(layer, keras.layers.Normalization)
        if constant or not getattr(layer, "weights", ()):
            continue
        # `__class__`, not `type`: a fast layer of kcnn answers with the Keras layer it replaces.
        plain = layer.__class__ is keras.layers.Conv2D and layer.groups == 1
        once = times_called(graph, layer) == 1
        return node if plain and once and layer.data_format == "channels_last" else None
    return None


def _padded_tensors(tensor: Any) -> list[Any]:
    """Return the tensor, then those that layers pad to get it, the unpadded one last."""
    tensors = [tensor]
    while True:
        node = node_of(tensors[-1])
        if type(node.operation) is not keras.layers.ZeroPadding2D:
            return tensors
        tensors.append(node.input_tensors[0])


def _is_only_way(graph: Any, tensor: Any) -> bool:
    """Return whether the output depends on the image through this tensor alone."""
    before, waiting = set(), [tensor]
    while waiting:
        each = waiting.pop()
        before.add(id(each))
        sources = node_of(each).input_tensors
        waiting += [source for source in sources if id(source) not in before]
    for node in nodes_of(graph):
        made_before = all(id(end) in before for end in node.outputs)
        reads = [source for source in node.input_tensors if id(source) in before]
        if not made_before and any(source is not tensor for source in reads):
            return False
    return True


def _measure(entrance: keras.Model) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the matrix [channels, outputs] and vector [outputs] of what is done to each pixel.

    None if something else is done: the pixels depend on one another, or not linearly.
    """
    height, width, channels = entrance.inputs[0].shape[1:]
    if entrance.outputs[0].shape[1:3] != (height, width):
        return None
    flat = np.zeros((channels + 1, height, width, channels), np.float32)
    for channel in range(channels):
        flat[channel + 1, ..., channel] = 255
    noise = np.random.default_rng(0).integers(0, 256, (2, height, width, channels))
    images = np.concatenate([flat, noise.astype(np.float32)])
    made: Any = keras.ops.convert_to_numpy(entrance(images, training=False))
    made = np.asarray(made, np.float64)
    shift = made[0, 0, 0]
    matrix = (made[1 : channels + 1, 0, 0] - shift) / 255
    expected = images.astype(np.float64) @ matrix + shift
    largest = np.abs(made).max()
    if not np.abs(expected - made).max() <= _EXACT * largest:  # as for NaN
        return None
    return matrix, shift


def _rebuild(graph: Any, entrance: _Entrance, matrix: np.ndarray, shift: np.ndarray) -> keras.Model:
    convolution = entrance.convolution
    kernel, *bias = (np.asarray(each, np.float64) for each in convolution.get_weights())
    new_kernel = np.einsum("co,hwof->hwcf", matrix, kernel)
    new_bias = bias[0] if bias else np.zeros(kernel.shape[-1])
    added = np.einsum("o,hwof->hwf", shift, kernel)
    white = entrance.padded and bool(np.any(shift))
    if white:
        new_kernel = np.concatenate([new_kernel, added[:, :, None] / _WHITE], axis=2)
    else:
        new_bias = new_bias + added.sum(axis=(0, 1))
    height, width, channels = graph.inputs[0].shape[1:]
    body = _copy_tail(graph, entrance, (height, width, channels + white), [new_kernel, new_bias])
    image: Any = keras.Input((height, width, channels), name=graph.inputs[0].name)
    widths = ((0, 0), (0, 0), (0, 0), (0, 1))
    x = ops.pad(image, widths, constant_values=_WHITE) if white else image
    return keras.Model(image, body(x), name=graph.name)


def _copy_tail(
    graph: Any, entrance: _Entrance, shape: tuple[int, ...], weights: list[np.ndarray]
) -> keras.Model:
    """Return a copy of what comes behind the entrance, with other weights of the convolution."""
    convolution = entrance.convolution

    def copy(operation: Any) -> Any:
        biased = {"use_bias": True} if operation is convolution else {}
        return copy_layer(operation, **biased)

    tail: Any = keras.Model(entrance.tensor, graph.outputs[0], name=graph.name)
    pixels: Any = keras.Input(shape)
    body = keras.models.clone_model(tail, input_tensors=pixels, clone_function=copy)
    copied = {layer.name: layer for layer in body.layers}
    for layer in tail.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            own = weights if layer is convolution else layer.get_weights()
            copied[layer.name].set_weights(own)
    return body
