"""The results of runs: receipts, analyses of their mistakes, tables, pictures and pages.

`read_run` reads a run's folder; `write_page` writes its page.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
