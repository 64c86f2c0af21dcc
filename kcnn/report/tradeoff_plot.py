"""The picture of what accuracy costs: bytes and milliseconds of every file, the best ones named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, save_figure
from kcnn.report.receipts import Receipt, Report

_MARKERS = {"float": "o", "int8": "s"}


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


Group = tuple[str, Sequence[Point], Sequence[float]]
"""Points that compare with each other: their processor, the points, and their costs."""


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
    their names are below. Times compare on one machine only, so each processor has a front.

    Raises:
        ValueError: there is no run.
    """
    points = points_of(reports)
    if not points:
        raise ValueError("Expected the report of at least one run. Received: none")
    groups = [("", points, [each.receipt.bytes / 1000 for each in points])]
    panels = [("kB of the file", groups)]
    timed = [each for each in points if each.receipt.ms_per_image]
    processors = sorted({each.processor for each in timed})
    if timed:
        of_each = [[each for each in timed if each.processor == name] for name in processors]
        times = [[each.receipt.ms_per_image or 0.0 for each in own] for own in of_each]
        panels.append(
            (
                "ms per image in LiteRT, one thread",
                list(zip(processors, of_each, times, strict=True)),
            )
        )
    figure = Figure(figsize=(5.5 * len(panels), 5.6), dpi=130, layout="constrained")
    for axes, (title, groups) in zip(
        figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels, strict=True
    ):
        named: list[str] = []
        for color, group in zip(cycle((GRAY, *PALETTE[2:])), groups, strict=False):
            _draw(axes, group, color, named)
        axes.set(xlabel=title, xscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        clean_axes(axes)
        _name(axes, named)
    figure.axes[0].set_ylabel("test accuracy")
    return figure


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


def _draw(axes: Axes, group: Group, color: str, named: list[str]) -> None:
    """Draw points and their front, and number and name those of the front."""
    processor, points, costs = group
    scores = [each.receipt.accuracy for each in points]
    front = pareto_front(costs, scores)
    axes.plot(
        [costs[each] for each in front],
        [scores[each] for each in front],
        color=color,
        linewidth=1,
        zorder=1,
        label=processor or None,
    )
    for (kind, marker), fill in zip(_MARKERS.items(), PALETTE, strict=False):
        own = [index for index, each in enumerate(points) if each.kind == kind]
        places = [costs[each] for each in own], [scores[each] for each in own]
        axes.scatter(*places, s=26, marker=marker, color=fill, edgecolor=color, zorder=2)
    for index in front:
        named.append(points[index].label)
        axes.annotate(
            str(len(named)),
            (costs[index], scores[index]),
            xytext=(-5, 5),
            textcoords="offset points",
            fontsize=8,
            ha="right",
        )


def _name(axes: Axes, named: Sequence[str]) -> None:
    """Write what the marks, the lines and the numbers mean below a panel."""
    marks = [
        Line2D([], [], marker=marker, color=fill, linestyle="", label=kind)
        for (kind, marker), fill in zip(_MARKERS.items(), PALETTE, strict=False)
    ]
    lines, processors = axes.get_legend_handles_labels()
    numbers = [
        Line2D([], [], marker=f"${number}$", color="black", linestyle="", label=label)
        for number, label in enumerate(named, start=1)
    ]
    axes.legend(
        handles=[*marks, *(lines if processors else []), *numbers],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        fontsize=7,
        ncols=2,
        frameon=False,
    )
