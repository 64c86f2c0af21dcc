"""How fast kcnn is beside stock Keras 3, tf_keras and PyTorch: `python -m benchmarks`.

To be read in this order: `results` is what a measurement leaves behind and `tables` how it is
shown; `race` starts the contestants, each in a process of its own, and gives them turns, which
`turns` takes in the child; `contestants` are the loops that are timed, on `networks` and images
that are the same for all; `plan` is what was asked for, `parts` says what races there are and
`ladder` what kcnn is without each of the things that make it fast.

Nothing here is part of the package kcnn. The process that gives the turns imports no framework.
"""
