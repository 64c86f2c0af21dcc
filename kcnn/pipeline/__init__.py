"""From a recipe to its receipts: the only reader of a recipe's fields.

`run` is the whole story on TensorFlow; on JAX, `on_device` has the part of it that needs no
TensorFlow.
"""

import keras

if keras.config.backend() == "tensorflow":
    from kcnn.pipeline.compare import compare
    from kcnn.pipeline.run import run
else:
    from kcnn.pipeline.on_device import compare, run

__all__ = ["compare", "run"]
