"""The picture of a classifier's calibration: the reliability diagram."""

import os
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, save_figure
from kcnn.report.metrics import Calibration

_COUNTS = "#999999"


def plot_reliability(calibrations: Mapping[str, Calibration], path: str | os.PathLike) -> None:
    """Draw the reliability diagrams of a model's variants into a picture file."""
    save_figure(reliability_figure(calibrations), path)


def reliability_figure(calibrations: Mapping[str, Calibration]) -> Figure:
    """Return a reliability diagram for each variant: accuracy and image count by confidence.

    On the diagonal the accuracy equals the confidence; where a bar ends below it, the model is
    overconfident.

    Paper: Guo et al., "On Calibration of Modern Neural Networks" (2017), figure 1,
    https://arxiv.org/abs/1706.04599.

    Raises:
        ValueError: there is no variant.

    >>> figure = reliability_figure({"float": Calibration((0, 4), (0, 0.9), (0, 0.75), 0.15, 0.9)})
    >>> figure.axes[0].get_title()
    'float: ECE 15.00%'
    """
    if not calibrations:
        raise ValueError("Expected the calibration of at least one variant. Received: none")
    layout = ConstrainedLayoutEngine(wspace=0.06)  # or the outer ticks touch
    figure = Figure(figsize=(3.9 * len(calibrations), 4.6), dpi=130, layout=layout)
    axes = figure.subplots(
        2, len(calibrations), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 1)
    )
    for column, (name, each) in enumerate(calibrations.items()):
        _draw_accuracy(axes[0, column], each)
        axes[0, column].set_title(f"{name}: ECE {each.error:.2%}", fontsize=11)
        _draw_counts(axes[1, column], each)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("images")
    return figure


def _draw_accuracy(axes: Axes, calibration: Calibration) -> None:
    left, width = _bins(calibration)
    full = np.array(calibration.counts) > 0
    axes.bar(
        left[full],
        np.array(calibration.accuracy)[full],
        width,
        align="edge",
        color=PALETTE[0],
        edgecolor="white",
        label="accuracy",
    )
    axes.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1, label="perfect calibration")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(fontsize=8, loc="upper left")
    clean_axes(axes, grid=False)


def _draw_counts(axes: Axes, calibration: Calibration) -> None:
    left, width = _bins(calibration)
    axes.bar(left, calibration.counts, width, align="edge", color=_COUNTS, edgecolor="white")
    axes.set_xlabel("confidence")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    clean_axes(axes, grid=False)


def _bins(calibration: Calibration) -> tuple[np.ndarray, float]:
    count = len(calibration.counts)
    return np.arange(count) / count, 1 / count
