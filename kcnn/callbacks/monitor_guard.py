"""Stops a training whose monitored metric is missing or no longer finite."""

import math

import keras


class MonitorGuard(keras.callbacks.Callback):
    """Stops with the reason when the monitored metric is absent, NaN or infinite.

    Keras only warns about a misspelled `monitor` and then saves every epoch as the best one. A NaN
    in the first epoch stays "best" to the end. Put the guard before the callbacks that monitor.

    Args:
        monitor: name of a metric in an epoch's logs.
    """

    def __init__(self, monitor: str = "val_loss") -> None:
        super().__init__()
        self.monitor = monitor

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Check the metric.

        Raises:
            ValueError: the metric is not among the logs; the message lists those that are.
            RuntimeError: the metric is not finite.
        """
        logs = logs or {}
        if self.monitor not in logs:
            hint = ""
            if self.monitor.startswith("val_") and not any(n.startswith("val_") for n in logs):
                hint = " Pass validation_data to fit, which measures the metrics in val_."
            raise ValueError(
                f"monitor={self.monitor!r} is not measured. Known: {', '.join(logs)}.{hint} A "
                "callback that measures it must come before this one."
            )
        if not math.isfinite(logs[self.monitor]):
            raise RuntimeError(
                f"{self.monitor} became {logs[self.monitor]} in epoch {epoch + 1}: training "
                "diverged. Lower the learning rate."
            )
