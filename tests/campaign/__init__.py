"""Long proofs that CI runs in small: `python -m tests.campaign --minutes N`."""

import kcnn  # noqa: F401 - before the modules import Keras: TensorFlow then computes with oneDNN
