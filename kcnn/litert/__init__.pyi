from .classifier import TFLiteClassifier as TFLiteClassifier
from .tflite_file import TensorSummary as TensorSummary
from .tflite_file import TFLiteSummary as TFLiteSummary
from .tflite_file import summarize as summarize
