"""Keras callbacks: the standard list, and those that Keras lacks.

Each is a plain `keras.callbacks.Callback` and works in a notebook's own `model.fit`.
"""

from kcnn.callbacks.averaged_statistics import AveragedStatistics
from kcnn.callbacks.best_model import BestModel
from kcnn.callbacks.epoch_log import EpochLog
from kcnn.callbacks.every_few_steps import EveryFewSteps
from kcnn.callbacks.freeze_after import FreezeAfter
from kcnn.callbacks.history_file import HistoryFile
from kcnn.callbacks.learning_rate_log import LearningRateLog
from kcnn.callbacks.lookahead import Lookahead
from kcnn.callbacks.memory import Stateful
from kcnn.callbacks.monitor_guard import MonitorGuard
from kcnn.callbacks.plateau import ReduceLROnPlateau
from kcnn.callbacks.resume import Resume
from kcnn.callbacks.standard import standard

__all__ = [
    "AveragedStatistics",
    "BestModel",
    "EpochLog",
    "EveryFewSteps",
    "FreezeAfter",
    "HistoryFile",
    "LearningRateLog",
    "Lookahead",
    "MonitorGuard",
    "ReduceLROnPlateau",
    "Resume",
    "Stateful",
    "standard",
]
