"""The same `.tflite` file on every runtime that a user may have, none of them a mock.

`RUNTIMES` holds LiteRT with its three sets of kernels, TFLite Micro, and LiteRT.js in a browser.
Each runs in a process of its own: a file that crashes a runtime does not crash the caller.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
