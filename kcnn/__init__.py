"""Classic CNNs in Keras, from CIFAR-10 to a verified int8 model on a phone.

Nothing is imported before it is used: `import kcnn` loads no TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcnn import arithmetic, bundle, callbacks, data, explain, models
    from kcnn.compress import cluster, prune, quantize_aware, slim
    from kcnn.evaluation import evaluate
    from kcnn.explain import grad_cam
    from kcnn.export import export_tflite
    from kcnn.litert import TFLiteClassifier
    from kcnn.training import distill, find_learning_rate, train

_ROOMS = ("arithmetic", "bundle", "callbacks", "data", "explain", "models")
_FUNCTIONS = {
    "train": "kcnn.training",
    "distill": "kcnn.training",
    "find_learning_rate": "kcnn.training",
    "evaluate": "kcnn.evaluation",
    "prune": "kcnn.compress",
    "slim": "kcnn.compress",
    "cluster": "kcnn.compress",
    "quantize_aware": "kcnn.compress",
    "export_tflite": "kcnn.export",
    "TFLiteClassifier": "kcnn.litert",
    "grad_cam": "kcnn.explain",
}

__all__ = [  # noqa: F822 - resolved below
    "TFLiteClassifier",
    "arithmetic",
    "bundle",
    "callbacks",
    "cluster",
    "data",
    "distill",
    "evaluate",
    "explain",
    "export_tflite",
    "find_learning_rate",
    "grad_cam",
    "models",
    "prune",
    "quantize_aware",
    "slim",
    "train",
]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"kcnn.{name}")
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'kcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
