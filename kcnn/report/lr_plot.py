"""The picture of a learning-rate range test."""

import os

from kcnn.pictures import PALETTE, Figure, clean_axes, save_figure
from kcnn.training import LearningRateCurve

_LOSS, _SUGGESTION = PALETTE[:2]
_HEADROOM = 1.25  # times the highest loss before the lowest one; a later explosion is cut off


def plot_learning_rates(curve: LearningRateCurve, path: str | os.PathLike) -> None:
    """Draw a range test into a picture file; see `learning_rates_figure`."""
    save_figure(learning_rates_figure(curve), path)


def learning_rates_figure(curve: LearningRateCurve) -> Figure:
    """Return the loss by learning rate, of each batch and smoothed, with the suggested rate.

    >>> import numpy as np
    >>> rates, losses = np.geomspace(1e-4, 1, 5), np.array([2.3, 2.2, 1.5, 1.2, 9.0])
    >>> figure = learning_rates_figure(LearningRateCurve(rates, losses, losses, 0.01))
    >>> figure.axes[0].get_title()
    'Learning-rate range test: try 0.01'
    """
    figure = Figure(figsize=(6.4, 4.2), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses, color=_LOSS, alpha=0.3, linewidth=1, label="each batch")
    axes.plot(curve.rates, curve.smoothed, color=_LOSS, label="smoothed")
    label = f"suggestion: {curve.suggestion:.2g}, a tenth of the lowest point's rate"
    axes.axvline(curve.suggestion, color=_SUGGESTION, linestyle="--", linewidth=1.2, label=label)
    until_lowest = curve.losses[: curve.smoothed.argmin() + 1]
    lowest = min(curve.losses.min(), curve.smoothed.min())
    axes.set_ylim(lowest - 0.05 * until_lowest.max(), _HEADROOM * until_lowest.max())
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(f"Learning-rate range test: try {curve.suggestion:.2g}", fontsize=11)
    clean_axes(axes, legend=True)
    return figure
