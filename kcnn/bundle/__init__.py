"""What a mobile developer gets: a model, golden answers that prove a port, and source code."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
