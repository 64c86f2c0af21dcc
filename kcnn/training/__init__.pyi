from . import schedules as schedules
from .distillation import distill as distill
from .loop import Interrupted as Interrupted
from .lr_finder import (
    LearningRateCurve as LearningRateCurve,
)
from .lr_finder import (
    find_learning_rate as find_learning_rate,
)
from .muon import Muon as Muon
from .objective import Objective as Objective
from .optimizers import make_optimizer as make_optimizer
from .result import TrainResult as TrainResult
from .run import train as train
from .running import Checkpoints as Checkpoints
from .running import Rollback as Rollback
from .running import TrainingDiverged as TrainingDiverged
from .running import TrainingState as TrainingState
from .schedules import cosine as cosine
