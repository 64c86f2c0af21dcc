"""The picture of a comparison: accuracy by epoch, and loss by epoch or accuracy by shift."""

import os
import textwrap
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kcnn.pictures import save_figure
from kcnn.report.comparison import ComparisonReport, Outcome

# Okabe and Ito's palette without its yellow, too light for a line. The marker tells variants
# apart without any colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = "os^DvPX*"
_LABEL_WIDTH = 24
_LOSS_DECADES = 1.5  # a linear axis hides all but the worst variant above


def plot_comparison(report: ComparisonReport, path: str | os.PathLike) -> None:
    """Draw a comparison into a picture file; see `comparison_figure`."""
    save_figure(comparison_figure(report), path)


def comparison_figure(report: ComparisonReport) -> Figure:
    """Return validation accuracy by epoch beside training loss by epoch, or accuracy by shift.

    A line is the mean over a variant's seeds, its band one standard deviation to either side. A
    variant whose trainings all diverged has the epochs before that, if any.

    Raises:
        ValueError: there is no outcome to draw.
    """
    if not report.outcomes:
        raise ValueError(f"{report.name} has no training yet: there is nothing to draw.")
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    for variant, colour, marker in zip(
        report.comparison.variants, cycle(_COLOURS), cycle(_MARKERS), strict=False
    ):
        style = {"color": colour, "marker": marker, "label": _label(report, variant)}
        outcomes = report.of(variant) or report.diverged(variant)
        _draw(left, _by_epoch(outcomes, "val_accuracy"), **style)
        if report.comparison.shifts:
            _draw(right, _by_shift(outcomes), **style)
        else:
            _draw(right, _by_epoch(outcomes, "loss"), **style)
    _finish_accuracy(left, "Validation accuracy")
    left.set_xlabel("epoch")
    if report.comparison.shifts:
        _finish_accuracy(right, "Test accuracy on shifted images")
        right.set_xlabel("pixels to the right and down")
    else:
        _finish_loss(right)
    figure.suptitle(textwrap.fill(report.comparison.question, 100), fontsize=12)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=9, frameon=False)
    return figure


def _label(report: ComparisonReport, variant: str) -> str:
    diverged, count = report.diverged(variant), len(report.comparison.seeds)
    note = f"\n(diverged{f': {len(diverged)} of {count}' if count > 1 else ''})" if diverged else ""
    return textwrap.fill(variant, _LABEL_WIDTH) + note


def _by_epoch(outcomes: tuple[Outcome, ...], metric: str) -> dict[int, list[float]]:
    values: dict[int, list[float]] = {}
    for outcome in outcomes:
        for epoch, value in enumerate(outcome.history.get(metric, ()), start=1):
            values.setdefault(epoch, []).append(value)
    return values


def _by_shift(outcomes: tuple[Outcome, ...]) -> dict[int, list[float]]:
    values: dict[int, list[float]] = {}
    for outcome in outcomes:
        for pixels, accuracy in sorted(outcome.shifted.items()):
            values.setdefault(pixels, []).append(accuracy)
    return values


def _draw(axes: Axes, values: dict[int, list[float]], **style: str) -> None:
    places = np.array(list(values), int)
    means = np.array([np.mean(each) for each in values.values()])
    # A marker a point would be a rope in a long training.
    every = max(1, len(places) // 12)
    axes.plot(places, means, markersize=5, linewidth=1.6, markevery=every, **style)
    deviations = np.array(
        [np.std(each, ddof=1) if len(each) > 1 else 0 for each in values.values()]
    )
    if deviations.any():
        band = {"color": style["color"], "alpha": 0.14, "linewidth": 0}
        axes.fill_between(places, means - deviations, means + deviations, **band)


def _finish_accuracy(axes: Axes, title: str) -> None:
    axes.set_ylabel("accuracy (%)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}"))
    _finish(axes, title)


def _finish_loss(axes: Axes) -> None:
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    positive = drawn[drawn > 0]
    if len(positive) and np.log10(positive.max() / positive.min()) > _LOSS_DECADES:
        axes.set_yscale("log")
    axes.set_ylabel("loss")
    axes.set_xlabel("epoch")
    _finish(axes, "Training loss")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
