"""Prepare a model from quantization-aware training (QAT) for the converter."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kcnn.arithmetic.layer_calls import Call, Tensor, calls
from kcnn.layers import FakeQuantize
from kcnn.layers.qat_layers import QuantizeAwareDense
from kcnn.models.fold_normalization import scale_and_shift
from kcnn.models.rewrite import call_copy, rewrite


def is_quantize_aware(model: keras.Model) -> bool:
    """Return whether a model comes from quantization-aware training."""
    return any(isinstance(layer, FakeQuantize) for layer in model.layers)


def strip_fake_quant(
    model: keras.Model, *, keep_ranges: bool, dense_per_channel: bool = False
) -> keras.Model:
    """Replace the layers of quantization-aware training by Keras's own, with rounded kernels.

    Every kernel is rounded to its int8 or int4 grid. The converter derives a kernel's scale from
    its largest magnitude, so it reproduces kernels that are already on that grid exactly, also
    after it has folded batch norms into them. The kernels' ranges are therefore not written as fake
    quantization, which the converter rejects for dense layers.

    Args:
        model: from quantization-aware training.
        keep_ranges: keep the `FakeQuantize` layers, which hold the ranges of the activations; an
            int8 file needs them.
        dense_per_channel: whether the kernel of a dense layer gets a scale for each output, or one
            for all.

    Raises:
        ValueError: a layer has not learned its range yet.
    """
    found = calls(model)
    sources = {call.outputs[0]: call.layer for call in found}
    readers: dict[Tensor, list[Call]] = defaultdict(list)
    for call in found:
        for tensor in call.inputs:
            readers[tensor].append(call)

    def step(call: Call, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        layer = call.layer
        if isinstance(layer, FakeQuantize):
            _check_learned(layer)
            return call_copy(layer, inputs) if keep_ranges else inputs[0]
        if hasattr(layer, "quantized_kernel"):
            _, *bias = layer.get_weights()
            kernel = _numpy(_rounded(layer, dense_per_channel))
            return _call_stock(layer, inputs, [kernel, *map(_vary_last_bit, bias)])
        if hasattr(layer, "stock") and not keep_ranges:
            return _call_stock(layer, inputs, [])
        alone = not hasattr(sources[call.inputs[0]], "quantized_kernel")
        if layer.__class__ is keras.layers.BatchNormalization and alone:
            return _call_depthwise(layer, inputs, *_scale_and_shift_of_norm(layer))
        if _is_shift(layer) and len(call.inputs[0].shape) == 4 and not _is_folded(call, readers):
            affine = scale_and_shift(layer, call.inputs[0].shape[-1] or 0)
            if affine is not None:
                return _call_depthwise(layer, inputs, *affine)
        return call_copy(layer, inputs)

    return rewrite(found, step, name=model.name)


def _rounded(layer: Any, dense_per_channel: bool) -> Any:
    if isinstance(layer, QuantizeAwareDense):
        return layer.quantized_kernel(per_channel=dense_per_channel)
    return layer.quantized_kernel()


def _is_shift(layer: Any) -> bool:
    if layer.__class__ is keras.layers.Rescaling:
        return bool(np.any(layer.offset))
    return layer.__class__ is keras.layers.Normalization


def _is_folded(call: Call, readers: Mapping[Tensor, list[Call]]) -> bool:
    """Return whether a kernel reads the layer's output unrounded, into which export folds it."""
    following = readers[call.outputs[0]]
    if len(following) == 1 and following[0].layer.__class__ is keras.layers.Flatten:
        following = readers[following[0].outputs[0]]
    return len(following) == 1 and hasattr(following[0].layer, "quantized_kernel")


def _check_learned(layer: FakeQuantize) -> None:
    if layer.bounds is None and not float(layer.steps):
        raise ValueError(
            f"Layer {layer.name!r} has learned no range yet: train the model, as "
            "kcnn.quantize_aware does."
        )


def _call_stock(
    layer: Any, inputs: list[keras.KerasTensor], weights: list[np.ndarray]
) -> keras.KerasTensor:
    """Call the layer that a layer for quantization-aware training was made from."""
    config = layer.get_config()
    for own in ("input_scale", "per_channel", "weight_bits"):
        config.pop(own, None)
    stock = layer.stock.from_config(config)
    output = stock(inputs[0])
    stock.set_weights(weights)
    return output


def _call_depthwise(
    layer: Any, inputs: list[keras.KerasTensor], scale: np.ndarray, shift: np.ndarray
) -> Any:
    """Call a depthwise convolution that computes `scale * x + shift`, exactly in int8.

    It has one weight and one scale per channel. The converter would make of a batch norm or of a
    scaling layer a multiplication and an addition, with one scale for all channels and a tensor
    between them whose range has not been learned.
    """
    convolution = keras.layers.DepthwiseConv2D(1, name=layer.name)
    output = convolution(inputs[0])
    kernel = scale.astype(np.float32)[None, None, :, None]
    convolution.set_weights([kernel, _vary_last_bit(shift.astype(np.float32))])
    return output


def _scale_and_shift_of_norm(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what a batch norm multiplies each channel by in inference, and what it adds."""
    mean, variance = (_float64(each) for each in (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale *= _float64(norm.gamma)
    shift = -mean * scale
    if norm.center:
        shift += _float64(norm.beta)
    return scale, shift


def _float64(variable: Any) -> np.ndarray:
    return _numpy(variable).astype(np.float64)


def _numpy(tensor: Any) -> np.ndarray:
    array: Any = keras.ops.convert_to_numpy(tensor)
    return array


def _vary_last_bit(bias: np.ndarray) -> np.ndarray:
    """Return a float32 bias whose numbers are not all equal: the last bit of one is changed if so.

    The converter of TensorFlow 2.21 stores a bias of equal numbers as a single number, with the
    scale of the first channel, which is wrong for all other channels.
    """
    bias = bias.copy()
    if (bias == bias[0]).all():
        bias[-1] = np.nextafter(bias[-1], np.float32(0))
    return bias
