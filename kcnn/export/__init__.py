"""From a Keras model to a `.tflite` file that a phone runs, and back to Python to prove it.

Writing a file needs TensorFlow; reading and running one needs LiteRT alone, so nothing is
imported before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcnn.export.convert import ExportResult, export_tflite
    from kcnn.export.fold import fold_normalization
    from kcnn.export.quantization import QUANTIZATIONS
    from kcnn.export.runtime import TFLiteClassifier
    from kcnn.export.tflite_file import TensorSummary, TFLiteSummary, summarize

_HOME = {
    "ExportResult": "convert",
    "QUANTIZATIONS": "quantization",
    "TFLiteClassifier": "runtime",
    "TFLiteSummary": "tflite_file",
    "TensorSummary": "tflite_file",
    "export_tflite": "convert",
    "fold_normalization": "fold",
    "summarize": "tflite_file",
}

__all__ = [  # noqa: F822 - resolved below
    "QUANTIZATIONS",
    "ExportResult",
    "TFLiteClassifier",
    "TFLiteSummary",
    "TensorSummary",
    "export_tflite",
    "fold_normalization",
    "summarize",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
