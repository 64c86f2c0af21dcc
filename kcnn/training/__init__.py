"""Training: compile and fit, with the optimizers, schedules and checks that a run of hours wants.

To be read in this order: `schedules` and `optimizers` are what `fit` puts together; `labels` is how
it feeds the loss; `distillation` and `lr_finder` are two other ways to train.
"""

from kcnn.training import schedules
from kcnn.training.distillation import distill
from kcnn.training.fit import TrainResult, train
from kcnn.training.lr_finder import LearningRateCurve, find_learning_rate
from kcnn.training.optimizers import make_optimizer
from kcnn.training.schedules import cosine

__all__ = [
    "LearningRateCurve",
    "TrainResult",
    "cosine",
    "distill",
    "find_learning_rate",
    "make_optimizer",
    "schedules",
    "train",
]
