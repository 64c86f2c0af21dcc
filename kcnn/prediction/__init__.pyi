from .classes import predict as predict
from .result import Prediction as Prediction
from .result import Predictions as Predictions
