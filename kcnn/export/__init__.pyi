from .convert import export_tflite as export_tflite
from .convert import fold_normalization as fold_normalization
from .modes import QUANTIZATIONS as QUANTIZATIONS
from .other_formats import FORMATS as FORMATS
from .other_formats import OtherFormat as OtherFormat
from .other_formats import export_format as export_format
from .result import ExportResult as ExportResult
