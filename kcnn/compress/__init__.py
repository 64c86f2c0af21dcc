"""Make a trained network smaller.

>>> import kcnn.compress
>>> "prune" in dir(kcnn.compress)
True
"""

from importlib import import_module

_HOME = {
    "ClusterResult": "clustering",
    "PruneResult": "pruning",
    "QuantizeAwareResult": "qat",
    "SlimResult": "filters.slimming",
    "cluster": "clustering",
    "prune": "pruning",
    "quantize_aware": "qat",
    "slim": "filters.slimming",
    "sparsity": "kernels",
}

__all__ = [
    "ClusterResult",
    "PruneResult",
    "QuantizeAwareResult",
    "SlimResult",
    "cluster",
    "prune",
    "quantize_aware",
    "slim",
    "sparsity",
]


def __getattr__(name: str) -> object:
    # Lazy, because the child process of `child.py` passes through here and must not load Keras 3.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
