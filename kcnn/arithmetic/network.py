"""Parameters, multiply-accumulates and receptive field of a whole Keras model."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from kcnn.arithmetic.layer_calls import Call, Tensor, calls
from kcnn.arithmetic.receptive_field import receptive_field
from kcnn.layers import PartiallyConnectedConv2D

_WITH_KERNEL = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
    PartiallyConnectedConv2D,
)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
# Layers whose weights may have two or more axes, but which sum no products over channels.
_ELEMENTWISE = (
    keras.layers.Embedding,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.PReLU,
    keras.layers.RMSNormalization,
)
# Operations on two activations, or on a kernel that is no layer's weight: class names in
# keras.layers and keras.ops.
_PRODUCTS = frozenset(
    "AdditiveAttention Attention Conv DepthwiseConv Dot DotProductAttention Einsum Inner Matmul "
    "Outer SeparableConv Tensordot Vdot".split()
)


@dataclass(frozen=True)
class LayerArithmetic:
    """What one layer costs, for one image.

    A layer that is called several times has a row for each call; only the first counts its
    parameters.

    Attributes:
        name: of the layer, after those of the models around it: "inner/conv".
        kind: its class.
        output_shape: with the batch, as Keras has it.
        parameters: of its weights, trainable or not.
        macs: multiply-accumulates for one image.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class ModelArithmetic:
    """What a model costs and how far it sees.

    Attributes:
        parameters: of all its weights.
        trainable_parameters: of those that train.
        macs: multiply-accumulates for one image.
        receptive_field: pixels along each axis of the image that one unit of the last spatial map
            can see, the largest over all paths; it may exceed the image. None if the model has no
            such map (a multilayer perceptron), or enlarges its maps on the way.
        layers: in order of computation. `parameters` and `macs` are the sums over them.
    """

    parameters: int
    trainable_parameters: int
    macs: int
    receptive_field: tuple[int, ...] | None
    layers: tuple[LayerArithmetic, ...]


def model_arithmetic(model: keras.Model) -> ModelArithmetic:
    """Return the parameters, MACs and receptive field of a model, and what each layer adds.

    Use it to compare networks at equal cost. One MAC is one weight multiplied and added at one
    position, two FLOPs. As in the papers, convolutions (also grouped, depthwise, separable,
    transposed) and dense layers count, and padding counts as if it were part of the image. Biases,
    normalization, pooling, activations and sums count zero.

    Args:
        model: Sequential or functional, built with a full input shape; models within it count.

    Raises:
        ValueError: the model is not a built graph of layers, the MACs of a layer are not known
            because of its class or because its maps have no fixed size, or a layer changes the size
            of its maps in a way that is not known, such as `Resizing`; `model_macs` does not ask
            for that.

    >>> image = keras.Input((32, 32, 3))
    >>> x = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    >>> x = keras.layers.GlobalAveragePooling2D()(x)
    >>> model = keras.Model(image, keras.layers.Dense(10)(x))
    >>> cost = model_arithmetic(model)
    >>> cost.parameters, cost.macs, cost.receptive_field
    (602, 442528, (3, 3))
    """
    found = calls(model)
    return ModelArithmetic(
        parameters=_count(model.weights),
        trainable_parameters=_count(model.trainable_weights),
        macs=sum(_macs(call) for call in found),
        receptive_field=receptive_field(found),
        layers=_rows(found),
    )


def model_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of a model for one image, as `model_arithmetic` counts them.

    Use it where the receptive field does not matter.

    Raises:
        ValueError: the model is not a built graph of layers, or the MACs of a layer are not known.

    >>> model_macs(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1)]))
    768
    """
    return sum(_macs(call) for call in calls(model))


def _rows(found: list[Call]) -> tuple[LayerArithmetic, ...]:
    rows, counted = [], set()
    for call in found:
        layer = call.layer
        if not call.inputs:
            continue
        weights = [] if id(layer) in counted else getattr(layer, "weights", [])
        counted.add(id(layer))
        rows.append(
            LayerArithmetic(
                name=call.name,
                kind=layer.__class__.__name__,
                output_shape=call.outputs[0].shape,
                parameters=_count(weights),
                macs=_macs(call),
            )
        )
    return tuple(rows)


def _count(weights: Iterable[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def _macs(call: Call) -> int:
    """Return the multiply-accumulates of one call: products at one position times positions."""
    layer = call.layer
    if isinstance(layer, _TRANSPOSED):
        # Every pixel of the input spreads its products over the output.
        return _positions(call, call.inputs[0]) * _count([layer.kernel])
    if isinstance(layer, _SEPARABLE):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return _positions(call, call.outputs[0]) * _count(kernels)
    if isinstance(layer, _WITH_KERNEL):
        return _positions(call, call.outputs[0]) * _count([layer.kernel])
    many = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    if layer.__class__.__name__ in _PRODUCTS or (many and not isinstance(layer, _ELEMENTWISE)):
        raise ValueError(
            f"Layer {call.name!r} is a {layer.__class__.__name__}, whose MACs kcnn cannot count. "
            "It counts those of convolutions and dense layers of Keras and of kcnn."
        )
    return 0


def _positions(call: Call, tensor: Tensor) -> int:
    """Return the number of positions of `tensor` at which the kernel is applied."""
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(
            f"Layer {call.name!r} must have channels last. Received: data_format='channels_first'"
        )
    positions = [size for size in tensor.shape[1:-1] if size is not None]
    if len(positions) < len(tensor.shape) - 2:
        raise ValueError(
            f"Layer {call.name!r} works on maps of unknown size {tensor.shape}: give the model's "
            "Input its full shape."
        )
    return prod(positions)
