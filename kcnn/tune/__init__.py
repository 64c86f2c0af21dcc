"""Sweeps: good values for the fields of a recipe, found by Optuna in any number of processes.

It needs Optuna: `pip install 'kcnn[tune]'`. `search` is the front door, `goal` and `space` say what
is searched, `study`, `trials` and `worker` share it among processes, and `trial_run` is one trial,
without any engine. `on_ray` lets Ray start the same trials, or the processes of one training.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
