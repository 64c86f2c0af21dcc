"""How fast kcnn is beside stock Keras 3, tf_keras and PyTorch: `python -m benchmarks`.

Read the files in this order. `results` holds what a measurement produces and `tables` shows it.
`race` starts each contestant in its own process and gives the contestants turns; `turns` is the
child's side of that. `contestants` has the loops that are timed, on the `networks` and images that
all of them share. `plan` holds what the command line asked for, `parts` defines the races of each
part, and `ladder` measures kcnn without each of the things that make it fast.

Nothing here is part of the package kcnn. The parent process, which gives the turns, imports no
framework.
"""

import kcnn  # noqa: F401 - before the modules import Keras: TensorFlow then computes with oneDNN
