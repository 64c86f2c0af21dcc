"""What becomes of each kind of layer in an int8 model, and which cannot become anything."""

import keras

from kcnn import layers as own
from kcnn.arithmetic.layer_calls import Call

L = keras.layers

# Layers with a kernel -> the same with the kernel of an int8 model.
AWARE = {
    L.Conv2D: own.QuantizeAwareConv2D,
    L.Dense: own.QuantizeAwareDense,
    L.DepthwiseConv2D: own.QuantizeAwareDepthwiseConv2D,
    own.LocalResponseNormalization: own.QuantizeAwareLocalResponseNormalization,
    own.PartiallyConnectedConv2D: own.QuantizeAwarePartiallyConnectedConv2D,
}

# One operator computes these together with a batch norm or a factor right behind them.
WEIGHTED = (L.Conv2D, L.Dense, L.DepthwiseConv2D, own.PartiallyConnectedConv2D)

# And these together with a rectifier.
SUMS = (*WEIGHTED, L.BatchNormalization, L.Rescaling, L.Add, L.Subtract, L.Multiply)

# Their output has the scale of their input: they move integers, or average a few of them.
SAME_SCALE = (
    *(L.AveragePooling2D, L.MaxPooling2D, L.GlobalMaxPooling2D),
    *(L.Cropping2D, L.ZeroPadding2D, L.Flatten, L.Reshape, L.Permute),
    *(L.Dropout, L.SpatialDropout2D, L.AlphaDropout, L.GaussianDropout, L.GaussianNoise),
)

# Not ELU, which the converter leaves in floats.
OWN_SCALE = (
    *(L.Activation, L.BatchNormalization, L.LeakyReLU, L.ReLU),
    *(L.Add, L.Subtract, L.Multiply, L.Concatenate, L.GlobalAveragePooling2D, L.Rescaling),
    own.LocalResponseNormalization,
)

RECTIFIERS = ("relu", "relu6")

# Activation -> the bounds that TensorFlow Lite prescribes for its output, None if they are learned.
ACTIVATIONS = {
    **dict.fromkeys(("linear", *RECTIFIERS, "gelu", "leaky_relu", "silu")),
    "tanh": (-1.0, 127 / 128),
    "sigmoid": (0.0, 255 / 256),
}


def activation_name(layer: keras.layers.Layer) -> str:
    """Return the name of the function that a layer applies to its sums."""
    function = getattr(layer, "activation", None)
    return "linear" if function is None else getattr(function, "__name__", "of your own")


def is_rectifier(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is a ReLU that the operator in front of it can include."""
    if layer.__class__ is L.ReLU:
        return not layer.negative_slope
    return layer.__class__ is L.Activation and activation_name(layer) in RECTIFIERS


def fixed_bounds(layer: keras.layers.Layer) -> tuple[float, float] | None:
    """Return the bounds of a layer's output if they are fixed."""
    return ACTIVATIONS[activation_name(layer)] if layer.__class__ is L.Activation else None


def check_call(call: Call) -> None:
    """Check that a layer can be trained for int8.

    Raises:
        ValueError: it cannot; the message names it and says what to do.
    """
    if reason := _objection(call):
        raise ValueError(
            f"Layer {call.name!r} ({call.layer.__class__.__name__}) cannot be trained for int8: "
            f"{reason}"
        )


def _objection(call: Call) -> str | None:
    layer, kind = call.layer, call.layer.__class__
    if kind is L.SeparableConv2D:
        return "make it two layers, DepthwiseConv2D and a Conv2D of 1x1."
    if kind not in {*AWARE, *SAME_SCALE, *OWN_SCALE}:
        known = sorted({each.__name__ for each in (*AWARE, *SAME_SCALE, *OWN_SCALE)})
        return f"express it by layers that can: {', '.join(known)}."
    if kind in WEIGHTED and activation_name(layer) not in ("linear", *RECTIFIERS):
        return (
            f"it applies {activation_name(layer)} itself; leave that to a layer of its own behind "
            "it: keras.layers.Activation(...)."
        )
    return _objection_to_options(call)


def _objection_to_options(call: Call) -> str | None:
    layer, kind = call.layer, call.layer.__class__
    if kind is L.Activation and activation_name(layer) not in ACTIVATIONS:
        return f"its function must be one of {', '.join(ACTIVATIONS)}."
    if kind is L.ReLU and (layer.max_value not in (None, 6) or layer.threshold):
        return "max_value must be None or 6, and threshold 0."
    if kind is L.Rescaling and layer.offset:
        return (
            "with an offset it must be read by one Conv2D without padding or one Dense layer, "
            "into which export folds it."
        )
    if kind in (L.Add, L.Multiply) and len(call.inputs) != 2:
        return "let it take two inputs, and use one more of them for each further input."
    if kind is L.BatchNormalization and layer.axis not in (-1, len(call.inputs[0].shape) - 1):
        return "its axis must be the last one."
    if kind in WEIGHTED and getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its data_format must be 'channels_last'."
    return None
