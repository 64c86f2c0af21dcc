"""What a network costs and how far it sees, worked out from its shapes.

Two 3x3 convolutions see as far as one 5x5 and have fewer weights; so does a 3x3 convolution of 128
channels behind a 1x1 bottleneck of 32:

>>> 2 * conv_parameters(64, 64, 3, bias=False), conv_parameters(64, 64, 5, bias=False)
(73728, 102400)
>>> bottleneck = conv_parameters(128, 32, 1, bias=False) + conv_parameters(32, 128, 3, bias=False)
>>> bottleneck, conv_parameters(128, 128, 3, bias=False)
(40960, 147456)

Only `model_arithmetic` needs Keras, and imports it when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from kcnn.arithmetic.convolution import conv_macs, conv_parameters, output_size, same_padding

if TYPE_CHECKING:
    from kcnn.arithmetic.network import LayerArithmetic, ModelArithmetic, model_arithmetic

__all__ = [
    "LayerArithmetic",
    "ModelArithmetic",
    "conv_macs",
    "conv_parameters",
    "model_arithmetic",
    "output_size",
    "same_padding",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(f"{__name__}.network"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
