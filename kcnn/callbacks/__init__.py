"""Keras callbacks: the standard list, and the four that Keras lacks.

They are plain `keras.callbacks.Callback`s and work in a notebook's own `model.fit`.
"""

from kcnn.callbacks.epoch_log import EpochLog
from kcnn.callbacks.learning_rate_log import LearningRateLog
from kcnn.callbacks.lookahead import Lookahead
from kcnn.callbacks.monitor_guard import MonitorGuard
from kcnn.callbacks.standard import standard

__all__ = ["EpochLog", "LearningRateLog", "Lookahead", "MonitorGuard", "standard"]
