"""Training: one loop, for every loss, on TensorFlow and on JAX.

Read in this order: `schedules` and `optimizers` make the optimizer; `objective` is the loss;
`trainer` checks, compiles and starts `loop`, whose steps are those of `loop_tensorflow` or
`loop_jax`; `kcnn.callbacks.state` is what a training needs to go on, and is kept meanwhile; `run`,
`distillation` and `lr_finder` are the ways to train.
"""

import lazy_loader

# Lazy, because the process in which TF-MOT runs uses `objective` and must not load Keras 3.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
