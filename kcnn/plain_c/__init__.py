"""An int8 `.tflite` file as plain C99: no interpreter, no allocation, no library.

The code computes what LiteRT's reference kernels compute, bit for bit.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
