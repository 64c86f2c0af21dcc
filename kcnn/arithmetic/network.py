"""Parameters, multiply-accumulates and receptive field of a whole Keras model."""

from dataclasses import dataclass
from math import prod

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
# They may have weights of rank 2 or more, but sum no products over channels.
_ELEMENTWISE = (
    keras.layers.Embedding,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.PReLU,
    keras.layers.RMSNormalization,
)
# Products of two activations, by the names of their classes in keras.layers and keras.ops.
_PRODUCTS = frozenset(
    "AdditiveAttention Attention Conv DepthwiseConv Dot DotProductAttention Einsum Inner Matmul "
    "Outer SeparableConv Tensordot Vdot".split()
)


@dataclass(frozen=True)
class LayerArithmetic:
    """What one layer costs, for one image.

    A layer that is called again has a row for each call; only the first one counts its parameters.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    """With the batch, as Keras has it."""
    parameters: int
    macs: int


@dataclass(frozen=True)
class ModelArithmetic:
    """What a model costs and how far it sees."""

    parameters: int
    trainable_parameters: int
    macs: int
    """Multiply-accumulates for one image."""
    receptive_field: tuple[int, ...] | None
    """Pixels along each axis of the image that one unit of the last spatial map can see, the
    largest over all paths; it may exceed the image. None where the model has no such map (a
    multilayer perceptron), or enlarges its maps on the way."""
    layers: tuple[LayerArithmetic, ...]
    """In order of computation. Parameters and MACs are the sums of theirs."""


def model_arithmetic(model: keras.Model) -> ModelArithmetic:
    """Return the parameters, MACs and receptive field of a model, and what each layer adds.

    Use it to compare networks at equal cost. One MAC is one weight multiplied and added at one
    position, two FLOPs. As in the papers, those of convolutions (also grouped,
    depthwise, separable, transposed) and dense layers count, as if padding were image; biases,
    normalisation, pooling, activations and sums count zero.

    Args:
        model: Sequential or functional, built with a full input shape; models within it count.

    Raises:
        ValueError: the model is not a built graph of layers, one of them is of a kind whose MACs
            are not known here, or works on maps of unknown size.

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


def _count(weights: list[keras.Variable]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def _macs(call: Call) -> int:
    """Return the multiply-accumulates of one call: products at one position times positions."""
    layer = call.layer
    if isinstance(layer, _TRANSPOSED):
        # Every pixel of the input spreads its products over the output.
        return _positions(call, call.inputs[0]) * prod(layer.kernel.shape)
    if isinstance(layer, _SEPARABLE):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return _positions(call, call.outputs[0]) * _count(kernels)
    if isinstance(layer, _WITH_KERNEL):
        return _positions(call, call.outputs[0]) * prod(layer.kernel.shape)
    many = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    if layer.__class__.__name__ in _PRODUCTS or (many and not isinstance(layer, _ELEMENTWISE)):
        raise ValueError(
            f"Layer {call.name!r} is a {layer.__class__.__name__}, whose MACs are not known here: "
            "known are convolutions and dense layers of Keras and of kcnn."
        )
    return 0


def _positions(call: Call, tensor: Tensor) -> int:
    """Return at how many positions of `tensor` a kernel stands."""
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(
            f"Layer {call.name!r} must have channels last. Received: data_format='channels_first'"
        )
    positions = tensor.shape[1:-1]
    if None in positions:
        raise ValueError(
            f"Layer {call.name!r} works on maps of unknown size {tensor.shape}: give the model's "
            "Input its full shape."
        )
    return prod(positions)
