from .classes import predict as predict
from .files import FilePrediction as FilePrediction
from .files import find_files as find_files
from .files import predict_files as predict_files
from .result import Prediction as Prediction
from .result import Predictions as Predictions
