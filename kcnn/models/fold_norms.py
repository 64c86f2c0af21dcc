"""Fold batch norms into the layers before them."""

import keras
import numpy as np

from kcnn.models.fold import only_readers

_READ = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


def fold_batch_norms(model: keras.Model) -> keras.Model:
    """Return the same function, in inference, without the batch norms that layers can do.

    Use it where a model answers again and again and is not trained, as a teacher does: on a CPU
    ResNet-20 is 1.5 times as fast without them. A batch norm multiplies and shifts each channel by
    constants; so does the convolution or dense layer before it, with another kernel and bias.

    Folded is every batch norm of the last axis that alone reads a `Conv2D`, `DepthwiseConv2D` or
    `Dense` without activation. All others stay.

    Args:
        model: a built Sequential or Functional model. It is not changed.

    Returns:
        A new model of new layers, or `model` itself if there is nothing to fold.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...                           keras.layers.BatchNormalization(), keras.layers.ReLU()])
    >>> [layer.__class__.__name__ for layer in fold_batch_norms(model).layers]
    ['InputLayer', 'Conv2D', 'ReLU']
    """
    # The same layers seen as a graph, which a Sequential is not.
    graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    layers = {layer.name: layer for layer in graph.layers}
    norms = {
        name: layers[reader]
        for name, reader in only_readers(graph).items()
        if _can_fold(layers[name], layers[reader])
    }
    if not norms:
        return model
    folded = {norm.name for norm in norms.values()}

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        biased = {"use_bias": True} if layer.name in norms else {}
        return layer.__class__.from_config(layer.get_config() | biased)

    def call(layer: keras.layers.Layer, *args: object, **kwargs: object) -> object:
        return args[0] if layer.name in folded else layer(*args, **kwargs)

    result = keras.models.clone_model(graph, clone_function=copy, call_function=call)
    for layer in result.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        source = layers[layer.name]
        norm = norms.get(layer.name)
        layer.set_weights(_absorb(source, norm) if norm else source.get_weights())
        if isinstance(layer, keras.layers.Normalization):
            # Otherwise one that was adapted has no constants yet.
            layer.finalize_state()
    return result


def _can_fold(layer: keras.layers.Layer, reader: keras.layers.Layer) -> bool:
    # `__class__`, not `type`: a faster layer may answer with the stock one it stands for.
    if reader.__class__ is not keras.layers.BatchNormalization or layer.__class__ not in _READ:
        return False
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    last = reader.axis in (-1, len(layer.output.shape) - 1)
    return channels_last and last and layer.activation is keras.activations.linear


def _absorb(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Return the kernel and bias with which the layer does the batch norm's work too."""
    kernel, *bias = (np.float64(weights) for weights in layer.get_weights())
    scale = 1 / np.sqrt(np.float64(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale *= np.float64(norm.gamma)
    shift = np.float64(norm.beta) if norm.center else 0.0
    bias = ((bias[0] if bias else 0.0) - np.float64(norm.moving_mean)) * scale + shift
    # A depthwise kernel keeps its channels on two axes.
    depthwise = layer.__class__ is keras.layers.DepthwiseConv2D
    return [kernel * (scale.reshape(kernel.shape[-2:]) if depthwise else scale), bias]
