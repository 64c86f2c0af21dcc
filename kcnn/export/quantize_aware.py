"""What export does with a model from quantisation-aware training before it is converted."""

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call, calls
from kcnn.layers import FakeQuantize
from kcnn.models.rewrite import call_copy, rewrite


def is_quantize_aware(model: keras.Model) -> bool:
    """Return whether a model has learned the ranges of its activations."""
    return any(isinstance(layer, FakeQuantize) for layer in model.layers)


def settled(model: keras.Model, *, ranges: bool) -> keras.Model:
    """Return a quantisation-aware model in stock layers, with its kernels as int8 has them.

    The converter rounds a kernel by its largest magnitude, which leaves one that is rounded so
    already as it is, also after a batch norm has been folded into it. It would do more harm than
    good to show it how: of a dense layer, it cannot.

    Args:
        model: from quantisation-aware training.
        ranges: keep the layers that tell the ranges of the activations, for an int8 file.

    Raises:
        ValueError: the ranges have not been learned.
    """
    found = calls(model)
    sources = {call.outputs[0]: call.layer for call in found}

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer = call.layer
        if isinstance(layer, FakeQuantize):
            _check_learned(layer)
            return call_copy(layer, inputs) if ranges else inputs[0]
        if hasattr(layer, "quantized_kernel"):
            _, *bias = layer.get_weights()
            kernel = keras.ops.convert_to_numpy(layer.quantized_kernel())
            return _stock(layer, inputs, [kernel, *map(_uneven, bias)])
        if hasattr(layer, "stock") and not ranges:
            return _stock(layer, inputs, [])
        alone = not hasattr(sources[call.inputs[0]], "quantized_kernel")
        if layer.__class__ is keras.layers.BatchNormalization and alone:
            return _depthwise(layer, inputs)
        return call_copy(layer, inputs)

    return rewrite(found, step, name=model.name)


def _check_learned(layer: FakeQuantize) -> None:
    if layer.bounds is None and not float(layer.steps):
        raise ValueError(
            f"Layer {layer.name!r} has learned no range yet: train the model, as "
            "kcnn.quantize_aware does."
        )


def _stock(
    layer: keras.layers.Layer, inputs: list[keras.KerasTensor], weights: list[np.ndarray]
) -> keras.KerasTensor:
    config = layer.get_config()
    config.pop("input_scale", None)
    stock = layer.stock.from_config(config)
    output = stock(inputs[0])
    stock.set_weights(weights)
    return output


def _depthwise(
    layer: keras.layers.BatchNormalization, inputs: list[keras.KerasTensor]
) -> keras.KerasTensor:
    """A batch norm of maps as one operator, exact in int8: one scale a channel, one weight each.

    Left to the converter, it would be a multiplication and an addition with one scale for all
    channels, and a tensor between them whose range nobody has learned.
    """
    mean, variance = np.float64(layer.moving_mean), np.float64(layer.moving_variance)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale *= np.float64(layer.gamma)
    shift = -mean * scale + (np.float64(layer.beta) if layer.center else 0)
    convolution = keras.layers.DepthwiseConv2D(1, name=layer.name)
    output = convolution(inputs[0])
    convolution.set_weights([scale[None, None, :, None], _uneven(np.float32(shift))])
    return output


def _uneven(bias: np.ndarray) -> np.ndarray:
    """Return the float32 bias with its last bit changed where all its numbers are equal.

    The converter of TensorFlow 2.21 stores such a bias as a single number, and that by the scale of
    the first channel for all of them.
    """
    bias = bias.copy()
    if (bias == bias[0]).all():
        bias[-1] = np.nextafter(bias[-1], np.float32(0))
    return bias
