"""How each kind of layer is computed in an int8 model, and which cannot be trained for int8."""

from typing import Any

import keras
import numpy as np

from kcnn import layers as own
from kcnn.arithmetic.layer_calls import Call
from kcnn.models.fold_normalization import scale_and_shift

L = keras.layers

# Layer with a kernel -> the same layer that rounds its kernel as an int8 model does.
AWARE = {
    L.Conv2D: own.QuantizeAwareConv2D,
    L.Dense: own.QuantizeAwareDense,
    L.DepthwiseConv2D: own.QuantizeAwareDepthwiseConv2D,
    own.LocalResponseNormalization: own.QuantizeAwareLocalResponseNormalization,
    own.PartiallyConnectedConv2D: own.QuantizeAwarePartiallyConnectedConv2D,
}

# TensorFlow Lite fuses these with a batch norm or a `Rescaling` right behind them.
WEIGHTED = (L.Conv2D, L.Dense, L.DepthwiseConv2D, own.PartiallyConnectedConv2D)

# An int4 file stores the kernels of these in 4 bits.
NARROW = (L.Conv2D, L.Dense, own.PartiallyConnectedConv2D)

# It fuses these with a ReLU right behind them.
SUMS = (*WEIGHTED, L.BatchNormalization, L.Rescaling, L.Add, L.Subtract, L.Multiply)

# The output of these has the scale of their input: they move integers, or average a few.
SAME_SCALE = (
    *(L.AveragePooling2D, L.MaxPooling2D, L.GlobalMaxPooling2D),
    *(L.Cropping2D, L.ZeroPadding2D, L.Flatten, L.Reshape, L.Permute),
    *(L.Dropout, L.SpatialDropout2D, L.AlphaDropout, L.GaussianDropout, L.GaussianNoise),
)

# ELU is missing because the converter leaves it in floats.
OWN_SCALE = (
    *(L.Activation, L.BatchNormalization, L.LeakyReLU, L.ReLU),
    *(L.Add, L.Subtract, L.Multiply, L.Concatenate, L.GlobalAveragePooling2D, L.Rescaling),
    *(L.Normalization, own.LocalResponseNormalization),
)

RELUS = ("relu", "relu6")

# Activation -> the bounds that TensorFlow Lite fixes for its output, None where it learns them.
ACTIVATIONS = {
    **dict.fromkeys(("linear", *RELUS, "gelu", "hard_silu", "leaky_relu", "silu")),
    "tanh": (-1.0, 127 / 128),
    "sigmoid": (0.0, 255 / 256),
}


def activation_name(layer: keras.Operation) -> str:
    """Return the name of a layer's activation function, "linear" if it has none."""
    function = getattr(layer, "activation", None)
    return "linear" if function is None else getattr(function, "__name__", "a custom function")


def is_shift(layer: Any) -> bool:
    """Return whether a layer multiplies each channel by a constant and adds another one."""
    if layer.__class__ is L.Rescaling:
        return bool(np.any(layer.offset))
    return layer.__class__ is L.Normalization


def is_relu(layer: Any) -> bool:
    """Return whether a layer is a ReLU that can be fused with the operator in front of it."""
    if layer.__class__ is L.ReLU:
        return not layer.negative_slope
    return layer.__class__ is L.Activation and activation_name(layer) in RELUS


def fixed_bounds(layer: keras.Operation) -> tuple[float, float] | None:
    """Return the bounds of a layer's output, (minimum, maximum), if they are fixed."""
    return ACTIVATIONS[activation_name(layer)] if layer.__class__ is L.Activation else None


def check_call(call: Call) -> None:
    """Check that a layer can be trained for int8.

    Raises:
        ValueError: it cannot be; the message names it and says what to do.
    """
    if reason := _find_objection(call):
        raise ValueError(
            f"Layer {call.name!r} ({call.layer.__class__.__name__}) cannot be trained for int8: "
            f"{reason}"
        )


def _find_objection(call: Call) -> str | None:
    layer: Any = call.layer
    kind = layer.__class__
    if kind is L.SeparableConv2D:
        return "make it two layers, DepthwiseConv2D and a Conv2D of 1x1."
    if kind not in {*AWARE, *SAME_SCALE, *OWN_SCALE}:
        known = sorted({each.__name__ for each in (*AWARE, *SAME_SCALE, *OWN_SCALE)})
        return f"use one of these layers instead: {', '.join(known)}."
    if kind in WEIGHTED and activation_name(layer) not in ACTIVATIONS:
        return f"its activation must be one of {', '.join(ACTIVATIONS)}."
    return _find_objection_to_options(call)


def _find_objection_to_options(call: Call) -> str | None:
    layer: Any = call.layer
    kind = layer.__class__
    if kind is L.Activation and activation_name(layer) not in ACTIVATIONS:
        return f"its function must be one of {', '.join(ACTIVATIONS)}."
    if kind is L.ReLU and (layer.max_value not in (None, 6) or layer.threshold):
        return "max_value must be None or 6, and threshold 0."
    if is_shift(layer):
        shape = call.inputs[0].shape
        if len(shape) != 4:
            return (
                "with a shift, it must get feature maps, or be read by one Dense layer alone, into "
                "which export folds it."
            )
        if scale_and_shift(layer, shape[-1] or 0) is None:
            return "it needs one constant for all channels, or one for each."
    if kind in (L.Add, L.Multiply) and len(call.inputs) != 2:
        return "it must have two inputs: use another such layer for each further input."
    if kind is L.BatchNormalization and layer.axis not in (-1, len(call.inputs[0].shape) - 1):
        return "its axis must be the last one."
    if kind in WEIGHTED and getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its data_format must be 'channels_last'."
    return None
