"""Read and run `.tflite` files as a phone does, with LiteRT alone: TensorFlow is not imported.

`kcnn.export` writes these files; this package lies below it, because `kcnn.evaluate` scores them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
