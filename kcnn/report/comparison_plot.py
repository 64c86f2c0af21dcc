"""The picture of a comparison: accuracy by epoch, and loss by epoch or accuracy by shift."""

import os
import textwrap
from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from kcnn.pictures import PALETTE, Figure, clean_axes, save_figure
from kcnn.report.comparison_report import ComparisonReport, Outcome
from kcnn.report.panels import Curve, draw_panel

Outcomes = tuple[Outcome, ...]
Values = dict[int, list[float]]
"""Epoch or pixels -> a value for each seed."""

# The marker distinguishes variants without any color.
_MARKERS = "os^DvPX*"
_LABEL_WIDTH = 24
_LOSS_DECADES = 1.5


def plot_comparison(report: ComparisonReport, path: str | os.PathLike) -> None:
    """Draw a comparison into a picture file; see `comparison_figure`."""
    save_figure(comparison_figure(report), path)


def comparison_figure(report: ComparisonReport) -> Figure:
    """Return validation accuracy by epoch beside training loss by epoch, or accuracy by shift.

    A line is the mean over a variant's seeds, its band one standard deviation to either side. Of a
    variant whose trainings all diverged, the epochs before that are drawn, if there are any.

    Raises:
        ValueError: there is no outcome to draw.
    """
    if not report.outcomes:
        raise ValueError(f"{report.name} has no training yet: there is nothing to draw.")
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_panel(left, "accuracy", _curves(report, lambda each: _by_epoch(each, "val_accuracy")))
    left.set(title="Validation accuracy", xlabel="epoch")
    if report.comparison.shifts:
        draw_panel(right, "accuracy", _curves(report, _by_shift))
        right.set(title="Test accuracy on shifted images", xlabel="pixels to the right and down")
    else:
        curves = _curves(report, lambda each: _by_epoch(each, "loss"))
        draw_panel(right, "loss", curves)
        right.set(title="Training loss", xlabel="epoch")
        _fit_scale(right, curves)
    for axes in (left, right):
        axes.title.set_fontsize(11)
        clean_axes(axes)
    figure.suptitle(textwrap.fill(report.comparison.question, 100), fontsize=12)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=9, frameon=False)
    return figure


def _curves(report: ComparisonReport, read: Callable[[Outcomes], Values]) -> list[Curve]:
    """Return a curve for each variant, of what `read` finds in its outcomes."""
    return [
        _curve(
            read(report.finished(variant) or report.diverged(variant)),
            _label(report, variant),
            color,
            marker,
        )
        for variant, color, marker in zip(
            report.comparison.variants, cycle(PALETTE), cycle(_MARKERS), strict=False
        )
    ]


def _label(report: ComparisonReport, variant: str) -> str:
    diverged, count = report.diverged(variant), len(report.comparison.seeds)
    note = f"\n(diverged{f': {len(diverged)} of {count}' if count > 1 else ''})" if diverged else ""
    return textwrap.fill(variant, _LABEL_WIDTH) + note


def _by_epoch(outcomes: Outcomes, metric: str) -> Values:
    values: Values = {}
    for outcome in outcomes:
        for epoch, value in enumerate(outcome.history.get(metric, ()), start=1):
            values.setdefault(epoch, []).append(value)
    return values


def _by_shift(outcomes: Outcomes) -> Values:
    values: Values = {}
    for outcome in outcomes:
        for pixels, accuracy in sorted(outcome.shifted.items()):
            values.setdefault(pixels, []).append(accuracy)
    return values


def _curve(values: Values, label: str, color: str, marker: str) -> Curve:
    deviations = [np.std(each, ddof=1).item() if len(each) > 1 else 0 for each in values.values()]
    return Curve(
        label,
        [np.mean(each).item() for each in values.values()],
        color,
        marker=marker,
        deviation=deviations,
        places=list(values),
    )


def _fit_scale(axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw losses on a logarithmic scale where a linear one would hide all but the worst."""
    positive = [value for curve in curves for value in curve.values if value > 0]
    if positive and np.log10(max(positive) / min(positive)) > _LOSS_DECADES:
        axes.set_yscale("log")
