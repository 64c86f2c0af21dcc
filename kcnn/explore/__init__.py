"""A page in which a network comes alive: every layer, its arithmetic, and pictures of the visitor.

The page is one file that works offline. `page/` has its modules; what they share with the page of a
bundle is in `kcnn/runtimes/web/`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
