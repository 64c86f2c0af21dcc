from .classifier import TFLiteClassifier as TFLiteClassifier
from .requirements import Requirements as Requirements
from .requirements import read_requirements as read_requirements
from .tflite_file import TensorSummary as TensorSummary
from .tflite_file import TFLiteSummary as TFLiteSummary
from .tflite_file import summarize as summarize
