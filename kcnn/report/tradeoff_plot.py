"""The picture of what accuracy costs: bytes and milliseconds of every file, the best ones named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, PercentFormatter

from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, save_figure
from kcnn.report.receipts import Receipt, Report

_MARKERS = {"float": "o", "int8": "s"}

_TOUCH = 9  # points (1/72 inch) between two marks, below which their numbers would overlap


@dataclass(frozen=True)
class Point:
    """One file in the picture.

    Attributes:
        run: the name of its recipe.
        receipt: its scores.
        processor: on which it was timed.
    """

    run: str
    receipt: Receipt
    processor: str

    @property
    def kind(self) -> str:
        """Whether the file computes in int8 or in floats."""
        return "int8" if self.receipt.file.endswith(".tflite") else "float"

    @property
    def label(self) -> str:
        """What is written beside the point."""
        return f"{self.run}: {self.receipt.name}"


Panel = tuple[str, Sequence[Point], Sequence[float]]
"""What a panel's costs are, its points, and their costs."""

Place = tuple[float, float]
"""Where a point is: its cost and its accuracy."""


def points_of(reports: Sequence[Report]) -> list[Point]:
    """Return a point for each file of the runs; scores that average over views are left out."""
    return [
        Point(report.recipe, receipt, str(report.hardware.get("processor", "not known")))
        for report in reports
        for receipt in report.receipts
        if "TTA" not in receipt.name
    ]


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Return which points no other one beats, the cheapest first.

    A point is beaten by one that costs no more and scores higher, or costs less and scores the
    same.

    >>> pareto_front([1, 2, 3, 2.5], [0.5, 0.8, 0.7, 0.9])
    [0, 1, 3]
    """
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda each: (costs[each], -scores[each])):
        if not front or scores[index] > scores[front[-1]]:
            front.append(index)
    return front


def plot_tradeoff(reports: Sequence[Report], path: str | os.PathLike) -> None:
    """Draw the files of some runs into a picture file; see `tradeoff_figure`."""
    save_figure(tradeoff_figure(reports), path)


def tradeoff_figure(reports: Sequence[Report]) -> Figure:
    """Return the accuracy of each file of some runs over its bytes and over its milliseconds.

    A line is a Pareto front: the files that no other one beats in both; they have numbers, and
    their names are below. Times compare on one machine only, so each processor has a panel; a
    processor that timed only one run gets none if others timed several.

    Raises:
        ValueError: there is no run.
    """
    points = points_of(reports)
    if not points:
        raise ValueError("Expected the report of at least one run. Received: none")
    panels = [("kB of the file", points, [each.receipt.bytes / 1000 for each in points])]
    timed = [each for each in points if each.receipt.ms_per_image]
    for processor in _processors(timed):
        own = [each for each in timed if each.processor == processor]
        times = [each.receipt.ms_per_image or 0.0 for each in own]
        panels.append((f"ms per image in LiteRT, one thread\n{processor}", own, times))
    figure = Figure(figsize=(4.2 * len(panels), 5.6), dpi=130, layout="constrained")
    every_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    fronts = [_draw(axes, panel) for axes, panel in zip(every_axes, panels, strict=True)]
    every_axes[0].set_ylabel("test accuracy")
    figure.draw_without_rendering()  # only now is it known which points touch
    for axes, front in zip(every_axes, fronts, strict=True):
        _number(axes, front, figure.dpi)
    return figure


def _processors(timed: Sequence[Point]) -> list[str]:
    """Return the processors that timed several runs; all of them if none did."""
    runs: dict[str, set[str]] = {}
    for each in timed:
        runs.setdefault(each.processor, set()).add(each.run)
    several = [processor for processor, found in runs.items() if len(found) > 1]
    return sorted(several or runs)


def tradeoff_text(reports: Sequence[Report]) -> str:
    """Return the description of the picture for readers who cannot see it."""
    points = points_of(reports)
    scores = [each.receipt.accuracy for each in points]
    front = pareto_front([each.receipt.bytes for each in points], scores)
    named = ", ".join(
        f"{points[each].label} ({points[each].receipt.bytes / 1000:,.0f} kB, "
        f"{points[each].receipt.accuracy:.2%})"
        for each in front
    )
    return (
        f"Test accuracy over bytes and milliseconds. No other file beats these in bytes: {named}."
    )


def _draw(axes: Axes, panel: Panel) -> list[Place]:
    """Draw points and their front, and name those of the front; return where these are."""
    title, points, costs = panel
    scores = [each.receipt.accuracy for each in points]
    front = pareto_front(costs, scores)
    places = [(costs[each], scores[each]) for each in front]
    axes.plot(*zip(*places, strict=True), color=GRAY, linewidth=1, zorder=1)
    for (kind, marker), color in zip(_MARKERS.items(), PALETTE, strict=False):
        own = [index for index, each in enumerate(points) if each.kind == kind]
        axes.scatter(
            [costs[each] for each in own],
            [scores[each] for each in own],
            s=26,
            marker=marker,
            color=color,
            edgecolor=GRAY,
            zorder=2,
        )
    axes.set(xlabel=title, xscale="log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    clean_axes(axes)
    _name(axes, [points[each].label for each in front])
    return places


def _number(axes: Axes, places: Sequence[Place], dpi: float) -> None:
    """Write the numbers beside the points; those of points that touch share a text."""
    shown = axes.transData.transform(places) * 72 / dpi
    texts: dict[int, list[str]] = {}  # the first of the points that touch -> their numbers
    for index, place in enumerate(shown):
        near = (each for each in texts if np.abs(shown[each] - place).max() < _TOUCH)
        texts.setdefault(next(near, index), []).append(str(index + 1))
    for first, numbers in texts.items():
        axes.annotate(
            ", ".join(numbers),
            places[first],
            xytext=(-5, 5),
            textcoords="offset points",
            fontsize=8,
            ha="right",
        )


def _name(axes: Axes, named: Sequence[str]) -> None:
    """Write what the marks and the numbers mean below a panel."""
    marks = [
        Line2D([], [], marker=marker, color=color, linestyle="", label=kind)
        for (kind, marker), color in zip(_MARKERS.items(), PALETTE, strict=False)
    ]
    numbers = [
        Line2D([], [], marker=f"${number}$", color="black", linestyle="", label=label)
        for number, label in enumerate(named, start=1)
    ]
    axes.legend(
        handles=[*marks, *numbers],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        fontsize=7,
        frameon=False,
    )
