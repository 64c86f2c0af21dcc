"""Whether a metric is better when it rises or when it falls."""

import re
from typing import Literal

Mode = Literal["auto", "min", "max"]

# Words of a metric's name: those of Keras's metrics, and of those that others write for it.
_RISES = {
    *("acc", "accuracy", "auc", "auroc", "dice", "f1", "fbeta", "fmeasure", "iou", "jaccard"),
    *("kappa", "precision", "r2", "recall", "sensitivity", "similarity", "specificity"),
}
_FALLS = {
    *("crossentropy", "divergence", "entropy", "error", "hinge", "logcosh", "loss", "mae", "mape"),
    *("mse", "msle", "nll", "perplexity", "poisson", "rmse"),
}


def direction(monitor: str, mode: Mode = "auto") -> Literal["min", "max"]:
    """Return whether the best value of a metric is the smallest or the largest one.

    Keras decides from the metric's class, where it knows it, and only at the end of the first
    epoch.

    Args:
        monitor: the name of the metric in an epoch's logs, such as "val_f1".
        mode: "min" or "max" says it; "auto" reads it from the name.

    Raises:
        ValueError: the name does not say it, or `mode` is none of the three.

    >>> direction("val_loss"), direction("val_top5_accuracy"), direction("val_quality", "max")
    ('min', 'max', 'max')
    >>> direction("val_quality")
    Traceback (most recent call last):
    ValueError: The name 'val_quality' does not say whether larger or smaller values are better:
    pass mode="max" or mode="min". Received: monitor='val_quality', mode='auto'
    """
    if mode not in ("auto", "min", "max"):
        raise ValueError(f'mode must be "auto", "min" or "max". Received: mode={mode!r}')
    if mode != "auto":
        return mode
    if not isinstance(monitor, str):
        raise ValueError(f"monitor must be the name of a metric. Received: monitor={monitor!r}")
    words = set(re.split(r"[^a-z0-9]+", monitor.lower().replace("io_u", "iou")))
    rises, falls = bool(words & _RISES), bool(words & _FALLS)
    if rises == falls:
        raise ValueError(
            f"The name {monitor!r} does not say whether larger or smaller values are better: pass "
            f'mode="max" or mode="min". Received: monitor={monitor!r}, mode={mode!r}'
        )
    return "max" if rises else "min"
