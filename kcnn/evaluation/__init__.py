"""One evaluator for every form of a model: Keras, pruned, int8."""

from kcnn.evaluation.scoring import Evaluation, evaluate, predictor
from kcnn.evaluation.views import TTA, PredictFn

__all__ = ["TTA", "Evaluation", "PredictFn", "evaluate", "predictor"]
