"""Fold the normalisation of the pixels into the layer that reads it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import keras
import numpy as np

from kcnn.layers.fast import all_layers


def fold_normalization(model: keras.Model) -> keras.Model:
    """Return the same function of the pixels without its normalisation layer.

    A convolution of `scale * pixels + shift` is a convolution of `pixels` with its kernel times
    `scale` and its bias plus the sum of kernel times `shift`, and the same holds for a dense layer.
    Left in the graph, the layer would cost an int8 model two more operators over the whole image
    and up to 0.75 points of accuracy, since its output is rounded to 8 bits before the convolution.

    Folded is every `Normalization` with per-channel constants and every `Rescaling` that is read
    by one `Conv2D` or `Dense` layer and by nothing else, if need be through a `Flatten`. The
    convolution must not pad (its zeros would stand for the mean colour, not for black), unless
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
    # The same layers seen as a graph, which a Sequential is not.
    graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    pairs = foldable(graph)
    if not pairs:
        return model
    while pairs:
        layers = {layer.name: layer for layer in graph.layers}
        graph = without(
            graph,
            set(pairs),
            {reader: _absorb(layers[reader], layers[name]) for name, reader in pairs.items()},
        )
        pairs = foldable(graph)
    return graph


def foldable(model: keras.Model) -> dict[str, str]:
    """Return the name of each scaling layer and of the layer that alone reads it."""
    layers = {layer.name: layer for layer in model.layers}
    readers = only_readers(model)
    pairs = {}
    for name, reader in readers.items():
        if _keeps_channels_last(layers.get(reader)):
            reader = readers.get(reader)
        if _can_fold(layers.get(name), layers.get(reader)):
            pairs[name] = reader
    return pairs


def only_readers(model: keras.Model) -> dict[str, str]:
    """Return, of each layer that just one other reads, both called once, the name of that one.

    Among them are operations such as `x + y`, which are no layers.
    """
    config = model.get_config()
    calls = [
        (layer["name"], set(_sources(call)))
        for layer in config["layers"]
        for call in layer["inbound_nodes"]
    ]
    times_called = Counter(name for name, _ in calls)
    # Whoever calls the model reads its output.
    calls.append((None, set(keras.tree.flatten(config["output_layers"]))))
    readers = {
        name: [reader for reader, sources in calls if name in sources] for name in times_called
    }
    return {
        name: found[0]
        for name, found in readers.items()
        if len(found) == times_called[name] == times_called[found[0]] == 1
    }


def _sources(value: object) -> Iterator[str]:
    """Yield the names of the layers whose outputs occur in one call, as a saved model has it."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value["config"]["keras_history"][0]
    elif isinstance(value, dict):
        yield from _sources(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _sources(item)


def _keeps_channels_last(layer: keras.layers.Layer | None) -> bool:
    return layer.__class__ is keras.layers.Flatten and layer.data_format == "channels_last"


def _can_fold(scaling: keras.layers.Layer | None, reader: keras.layers.Layer | None) -> bool:
    # `__class__`, not `type`: a faster layer may answer with the stock one it stands for.
    convolution = reader.__class__ is keras.layers.Conv2D
    if convolution and (reader.groups != 1 or reader.data_format != "channels_last"):
        return False
    if not convolution and reader.__class__ is not keras.layers.Dense:
        return False
    affine = scale_and_shift(scaling, reader.kernel.shape[-2])
    pads = convolution and reader.padding != "valid"
    return affine is not None and not (pads and affine[1].any())


def scale_and_shift(
    layer: keras.layers.Layer | None, size: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the float64 scale and shift of every channel, None if the layer is more than that.

    They are repeated up to `size`, the rows of a kernel: in a dense layer that reads flattened
    images, these go through the channels again and again.
    """
    if layer.__class__ is keras.layers.Rescaling:
        scale, shift = np.float64(layer.scale), np.float64(layer.offset)
    elif layer.__class__ is keras.layers.Normalization:
        mean, variance = np.float64(layer.mean), np.float64(layer.variance)
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    else:
        return None
    if not all(
        values.shape in ((), (values.size,), (1, 1, 1, values.size)) for values in (scale, shift)
    ):
        return None
    return np.resize(scale, size), np.resize(shift, size)


def without(
    model: keras.Model, dropped: Collection[str], absorbed: Mapping[str, list[np.ndarray]]
) -> keras.Model:
    """Return a copy of a functional model in which some layers do the work of others.

    Args:
        model: it is not changed.
        dropped: names of the layers that are passed by.
        absorbed: by name, kernel and bias of the layers that do their work.
    """

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.Lambda):
            return layer  # its code cannot be made anew, and it has no weights
        biased = {"use_bias": True} if layer.name in absorbed else {}
        return layer.__class__.from_config(layer.get_config() | biased)

    def call(layer: keras.layers.Layer, *args: object, **kwargs: object) -> object:
        return args[0] if layer.name in dropped else layer(*args, **kwargs)

    copied = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for source in model.layers:
        if source.name not in dropped and not isinstance(source, keras.layers.InputLayer):
            weights = absorbed.get(source.name, source.get_weights())
            copied.get_layer(source.name).set_weights(weights)
    for layer in all_layers(copied):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # otherwise one that was adapted has no constants yet
    return copied


def _absorb(
    reader: keras.layers.Conv2D | keras.layers.Dense, scaling: keras.layers.Layer
) -> list[np.ndarray]:
    """Return the kernel and bias with which the reader does the scaling layer's work too."""
    kernel, *bias = (np.float64(weights) for weights in reader.get_weights())
    scale, shift = scale_and_shift(scaling, kernel.shape[-2])
    pixels = tuple(range(kernel.ndim - 2))  # a dense kernel has none
    bias = (bias[0] if bias else 0.0) + shift @ kernel.sum(axis=pixels)
    return [kernel * scale[:, None], bias]
