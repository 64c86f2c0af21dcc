"""From a Keras model to a `.tflite` file that a phone runs."""

from kcnn.export.convert import ExportResult, export_tflite
from kcnn.export.fold import fold_normalization
from kcnn.export.quantization import QUANTIZATIONS

__all__ = ["QUANTIZATIONS", "ExportResult", "export_tflite", "fold_normalization"]
