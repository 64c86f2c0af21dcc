"""One file for each family of networks.

They lie one folder below `kcnn.models` because a module `kcnn.models.alexnet` would hide the
builder of the same name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
