"""From a Keras model to a `.tflite` file that a phone runs."""

from kcnn.export.convert import ExportResult, export_tflite
from kcnn.export.quantization import QUANTIZATIONS
from kcnn.models.fold_normalization import fold_normalization

__all__ = ["QUANTIZATIONS", "ExportResult", "export_tflite", "fold_normalization"]
