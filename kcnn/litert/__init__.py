"""Read and run `.tflite` files as a phone does, with LiteRT alone: TensorFlow is not imported.

It lies below `kcnn.export`, which writes these files, because `kcnn.evaluate` scores them too.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcnn.litert.classifier import TFLiteClassifier
    from kcnn.litert.tflite_file import TensorSummary, TFLiteSummary, summarize

_HOME = {
    "TFLiteClassifier": "classifier",
    "TFLiteSummary": "tflite_file",
    "TensorSummary": "tflite_file",
    "summarize": "tflite_file",
}

__all__ = ["TFLiteClassifier", "TFLiteSummary", "TensorSummary", "summarize"]  # noqa: F822


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
