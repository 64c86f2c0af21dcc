"""Activations, and the initial weights and the dropout that suit each of them."""

from collections.abc import Mapping
from typing import Any, cast

import keras

from kcnn.errors import unknown
from kcnn.models.blocks.checks import check_rate

# Activation -> the initializer that keeps the variance of the signals from layer to layer: He for
# ReLU and its smooth relatives, LeCun as the paper of SELU demands, Glorot for those that are
# symmetric about zero.
_AUTOMATIC = {
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "elu": "he_normal",
    "selu": "lecun_normal",
    "swish": "he_normal",
    "gelu": "he_normal",
    "hard_swish": "he_normal",
    "tanh": "glorot_uniform",
    "sigmoid": "glorot_uniform",
    "linear": "glorot_uniform",
}
ACTIVATIONS = tuple(_AUTOMATIC)

_NAMES_IN_KERAS = {"swish": "silu", "hard_swish": "hard_silu"}

INITIALIZERS = (
    "auto",
    "he_normal",
    "he_uniform",
    "glorot_normal",
    "glorot_uniform",
    "lecun_normal",
    "lecun_uniform",
    "random_normal",
)

# The slope of most published networks and of PyTorch; Keras's own default is 0.3.
LEAKY_SLOPE = 0.01

Initializer = str | Mapping[str, Any] | keras.initializers.Initializer


def activation(kind: str, *, name: str) -> list[keras.layers.Layer]:
    """Return the activation layer `name`_`kind`.

    It is a layer of its own so that Grad-CAM can name its feature map.

    Args:
        kind: one of `ACTIVATIONS`. "leaky_relu" has a slope of 0.01, "swish" is x * sigmoid(x),
            "hard_swish" x * min(max(x + 3, 0), 6) / 6 (Howard et al., MobileNetV3,
            https://arxiv.org/abs/1905.02244), and "linear" changes nothing.
        name: of the layer before it.

    Raises:
        ValueError: `kind` is unknown.

    >>> activation("gelu", name="conv1")[0].name
    'conv1_gelu'
    """
    if kind not in ACTIVATIONS:
        raise unknown("activation", kind, ACTIVATIONS)
    name = f"{name}_{kind}"
    if kind == "relu":
        return [keras.layers.ReLU(name=name)]
    if kind == "leaky_relu":
        return [keras.layers.LeakyReLU(negative_slope=LEAKY_SLOPE, name=name)]
    if kind == "elu":
        return [keras.layers.ELU(name=name)]
    return [keras.layers.Activation(_NAMES_IN_KERAS.get(kind, kind), name=name)]


def scaled_tanh(name: str) -> list[keras.layers.Layer]:
    """Return LeCun's squashing function 1.7159 tanh(2/3 x), which maps 1 to 1 and -1 to -1.

    Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998),
    appendix A.

    >>> x = keras.ops.ones((1, 1))
    >>> for layer in scaled_tanh("c1"):
    ...     x = layer(x)
    >>> round(float(x[0, 0]), 4)
    1.0
    """
    # Keras's own layers: a file with an activation function of kcnn would not load in plain Keras.
    return [
        keras.layers.Rescaling(2 / 3, name=f"{name}_slope"),
        keras.layers.Activation("tanh", name=f"{name}_tanh"),
        keras.layers.Rescaling(1.7159, name=f"{name}_amplitude"),
    ]


def initializer(
    kind: Initializer = "auto", activation: str = "relu"
) -> keras.initializers.Initializer:
    """Return the initializer of a kernel that is followed by `activation`.

    Args:
        kind: "auto" for the one that suits the activation, another of `INITIALIZERS`, Keras's
            description of one as a dictionary, or an initializer object such as
            `keras.initializers.RandomNormal(mean=0.0, stddev=0.01)`.
        activation: one of `ACTIVATIONS`.

    Papers: He et al. (2015), https://arxiv.org/abs/1502.01852; Glorot and Bengio (2010); LeCun et
    al., "Efficient BackProp" (1998); Klambauer et al., SELU (2017),
    https://arxiv.org/abs/1706.02515.

    Raises:
        ValueError: one of the names is unknown, or `kind` describes no initializer.

    >>> type(initializer("auto", "selu")).__name__
    'LecunNormal'
    """
    if activation not in ACTIVATIONS:
        raise unknown("activation", activation, ACTIVATIONS)
    if isinstance(kind, str) and kind not in INITIALIZERS:
        raise unknown("initializer", kind, INITIALIZERS)
    if isinstance(kind, str):
        found = keras.initializers.get(_AUTOMATIC[activation] if kind == "auto" else kind)
        return cast(keras.initializers.Initializer, found)
    if isinstance(kind, keras.initializers.Initializer):
        # A copy: two layers with one unseeded initializer would start with the same numbers.
        return kind.__class__.from_config(kind.get_config())
    try:
        described = keras.initializers.deserialize(dict(kind))
        if isinstance(described, keras.initializers.Initializer):
            return described
    except (KeyError, TypeError, ValueError):
        pass
    raise ValueError(
        f"initializer must be one of {', '.join(INITIALIZERS)}, a Keras initializer or its "
        f"description as a dictionary. Received: initializer={kind!r}"
    )


def dropout(rate: float, *, name: str, activation: str = "relu") -> keras.layers.Layer:
    """Return a dropout layer. After SELU it is alpha dropout, which keeps mean and variance.

    Args:
        rate: share of the activations to drop in training, in [0, 1).
        name: of the layer.
        activation: the one before it, one of `ACTIVATIONS`.

    Raises:
        ValueError: `rate` is not at least 0 and below 1.

    >>> type(dropout(0.1, name="drop", activation="selu")).__name__
    'AlphaDropout'
    """
    check_rate("dropout", rate)
    if activation == "selu":
        return keras.layers.AlphaDropout(rate, name=name)
    return keras.layers.Dropout(rate, name=name)
