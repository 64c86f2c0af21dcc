"""Make a trained network smaller.

Each technique has a check beside it, `check_prune` beside `prune`: it takes the same arguments,
trains nothing, and raises the ValueError that the technique would raise. Call it before hours of
other work.

>>> import kcnn.compress
>>> "prune" in dir(kcnn.compress)
True
"""

import lazy_loader

# Lazy, because the child process of `child.py` imports this package and must not load Keras 3.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
