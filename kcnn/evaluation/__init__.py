"""Score any variant of a model the same way: a Keras model, a `.keras` or a `.tflite` file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
