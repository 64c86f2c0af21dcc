"""What a network costs and how far it sees, worked out from its shapes.

Two 3x3 convolutions see as far as one 5x5 and have fewer weights; so does a 3x3 convolution of 128
channels behind a 1x1 bottleneck of 32:

>>> from kcnn.arithmetic import conv_parameters
>>> 2 * conv_parameters(64, 64, 3, bias=False), conv_parameters(64, 64, 5, bias=False)
(73728, 102400)
>>> bottleneck = conv_parameters(128, 32, 1, bias=False) + conv_parameters(32, 128, 3, bias=False)
>>> bottleneck, conv_parameters(128, 128, 3, bias=False)
(40960, 147456)

Only `model_arithmetic` needs Keras, and imports it when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
