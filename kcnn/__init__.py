"""Classic CNNs in Keras, from CIFAR-10 to a verified int8 model on a phone.

Every room is an attribute: `kcnn.models`, `kcnn.data`, `kcnn.training`, ... They are imported when
they are first used, so `import kcnn` loads no TensorFlow. `__init__.pyi` lists them. Import kcnn
before TensorFlow, which then computes with oneDNN on every x86-64 processor.
"""

import lazy_loader

from kcnn.onednn import ask_for_onednn

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

ask_for_onednn()

__version__ = "0.1.0"
