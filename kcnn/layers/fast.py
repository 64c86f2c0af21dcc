"""Train any Keras model on kcnn's fast kernels."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from kcnn.layers.batch_norm import BatchNormalization
from kcnn.layers.few_channels import Normalization, SpatialDropout2D
from kcnn.layers.gelu import can_compile, gelu
from kcnn.layers.small_maps import Geometry, convolve

_FAST = {
    keras.layers.BatchNormalization: BatchNormalization,
    keras.layers.Normalization: Normalization,
    keras.layers.SpatialDropout2D: SpatialDropout2D,
}


@contextmanager
def fast_training(model: keras.Model) -> Iterator[None]:
    """Let the layers of `model` use their fastest implementation inside the `with` block.

    Use it around `fit`, with any model: loaded, cloned, your own. `kcnn.train` does so. On the
    TensorFlow backend batch norms use the fused kernel (`kcnn.layers.BatchNormalization`), images
    are normalized and maps dropped without broadcasting over a few channels
    (`kcnn.layers.few_channels`), and on a CPU convolutions of small maps are matrix products, or
    their kernel's gradient is computed with images and channels exchanged
    (`kcnn.layers.small_maps`), and exact GELU is compiled (`kcnn.layers.gelu`), also where a
    layer of your own has it as its `activation`. On other backends nothing changes. Layers inside
    your own layers are not changed. Finite results are equal up to rounding, and after the block
    the model is what it was before. A graph that Keras traced inside stays in use until the model
    is compiled again.

    Args:
        model: changed in place while inside the block.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])
    >>> with fast_training(model):
    ...     type(model.layers[0]).__module__
    'kcnn.layers.batch_norm'
    >>> type(model.layers[0]) is keras.layers.BatchNormalization
    True
    """
    layers = all_layers(model) if keras.config.backend() == "tensorflow" else []
    with _own_kinds(layers), _own_convolutions(layers), _compiled_gelu(layers):
        yield


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers, including those of nested models, each once."""
    found: dict[keras.layers.Layer, None] = {}
    for layer in model.layers:
        found[layer] = None
        if isinstance(layer, keras.Model):
            found |= dict.fromkeys(all_layers(layer))
    return list(found)


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """Return the moving averages of all batch norms of `model`: mean, variance, mean, ..."""
    return [
        variable
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


@contextmanager
def _own_kinds(layers: list[keras.layers.Layer]) -> Iterator[None]:
    stock = {layer: type(layer) for layer in layers if type(layer) in _FAST}
    for layer, kind in stock.items():
        _become(layer, _FAST[kind])
    try:
        yield
    finally:
        for layer, kind in stock.items():
            _become(layer, kind)


@contextmanager
def _own_convolutions(layers: list[keras.layers.Layer]) -> Iterator[None]:
    convolutions = [
        layer
        for layer in layers
        # It has one already inside another such `with` block.
        if type(layer) is keras.layers.Conv2D and "convolution_op" not in vars(layer)
    ]
    if convolutions and _has_gpu():  # cuDNN's kernels are faster
        convolutions = []
    biased = [each for each in convolutions if each.use_bias and each.compute_dtype == "bfloat16"]
    for layer in convolutions:
        layer.convolution_op = partial(_convolution, layer)
    for layer in biased:
        layer.call = partial(_with_bias, layer)
    try:
        yield
    finally:
        for layer in convolutions:
            del layer.convolution_op
        for layer in biased:
            del layer.call


@contextmanager
def _compiled_gelu(layers: list[keras.layers.Layer]) -> Iterator[None]:
    stock = keras.activations.gelu
    active: list[Any] = [each for each in layers if vars(each).get("activation") is stock]
    if active and (_has_gpu() or not can_compile()):
        active = []
    for layer in active:
        layer.activation = gelu
    try:
        yield
    finally:
        for layer in active:
            layer.activation = stock


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def _become(layer: keras.layers.Layer, kind: type) -> None:
    """Set the class of `layer`, past Keras's attribute tracking and kcnn's own `__class__`."""
    object.__dict__["__class__"].__set__(layer, kind)


def _convolution(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any:
    outputs = _of_small_map(layer, inputs, kernel)
    return type(layer).convolution_op(layer, inputs, kernel) if outputs is None else outputs


def _with_bias(layer: keras.layers.Conv2D, inputs: Any) -> Any:
    """Do what the layer does, with an accurate gradient of the bias in bfloat16.

    TensorFlow computes that gradient accurately as a part of its own convolution's. Alone, as
    BiasAddGrad, TensorFlow 2.21 on a CPU is 10 % off over 256 pixels and 91 % over 8,192; the
    gradient of an addition is 0.3 % off.
    """
    import tensorflow as tf

    outputs = _of_small_map(layer, inputs, layer.kernel)
    if outputs is None:
        return type(layer).call(layer, inputs)
    bias: Any = keras.ops.convert_to_tensor(layer.bias)
    activation: Any = layer.activation
    return activation(tf.add(outputs, bias))


def _of_small_map(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any | None:
    plain = layer.groups == 1 and set(layer.dilation_rate) == {1}
    sizes = tuple(inputs.shape[1:3])
    if plain and layer.data_format == "channels_last" and None not in sizes:
        taps: Any = layer.kernel_size
        strides: Any = layer.strides
        geometry = Geometry(sizes, taps, strides, same=layer.padding == "same")
        return convolve(inputs, keras.ops.convert_to_tensor(kernel), geometry)
    return None
