"""The picture of a sweep: accuracy by trial, or the front of accuracy against size and time."""

import os
from collections.abc import Callable, Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, save_figure
from kcnn.report.study_report import StudyReport, Trial

_POINT, _FRONT, _LIMIT = PALETTE[:3]


def plot_study(report: StudyReport, path: str | os.PathLike) -> None:
    """Draw a study into a picture file; see `study_figure`."""
    save_figure(study_figure(report), path)


def study_figure(report: StudyReport) -> Figure:
    """Return the validation accuracy of the trials: by their number, or by size and time.

    In a search for int8 files a line joins those that no other file beats, and a dashed one is the
    limit.

    Raises:
        ValueError: no trial has an accuracy.
    """
    if not any(each.accuracy is not None for each in report.trials):
        raise ValueError(f"{report.name} has no accuracy yet: there is nothing to draw.")
    panels = 1 + (report.int8 and report.max_ms is not None)
    figure = Figure(figsize=(6.4 * panels, 4.2), dpi=150, layout="constrained")
    left, *right = figure.subplots(1, panels, squeeze=False)[0]
    if report.int8:
        _draw_front(left, report, lambda each: each.bytes, report.max_bytes)
        left.set(title="Accuracy by size", xlabel="bytes of the int8 file")
    else:
        _draw_course(left, report)
    for axes in right:
        _draw_front(axes, report, lambda each: each.ms, report.max_ms)
        axes.set(title="Accuracy by time", xlabel="ms/image in LiteRT, on one thread")
    for axes in (left, *right):
        axes.set_ylabel("accuracy on the validation images")
        axes.title.set_fontsize(11)
        clean_axes(axes, legend=True)
    return figure


def _draw_course(axes: Axes, report: StudyReport) -> None:
    done = [each for each in report.trials if each.accuracy is not None]
    complete = [each for each in done if each.state == "complete"]
    pruned = [each for each in done if each.state == "pruned"]
    _scatter(axes, complete, _number, "complete", color=_POINT)
    if pruned:
        _scatter(axes, pruned, _number, "pruned", color=GRAY, marker="x")
    if report.over_seeds and (found := report.mean_and_spread(test=False)):
        mean, spread = found
        axes.axhline(mean, color=_FRONT, label=f"mean {mean:.2%}")
        axes.axhspan(
            mean - spread, mean + spread, color=_FRONT, alpha=0.15, label=f"± {spread:.2%}"
        )
    elif complete:
        best = list(accumulate((each.accuracy or 0.0 for each in complete), max))
        numbers = [each.number for each in complete]
        axes.step(numbers, best, where="post", color=_FRONT, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title="Accuracy by trial", xlabel="seed" if report.over_seeds else "trial")


def _draw_front(
    axes: Axes,
    report: StudyReport,
    place: Callable[[Trial], float | None],
    limit: float | None,
) -> None:
    done = [each for each in report.trials if each.state == "complete" and place(each) is not None]
    _scatter(axes, done, place, "trials", color=_POINT)
    front = [each for each in report.front() if place(each) is not None]
    front.sort(key=lambda each: place(each) or 0.0)
    axes.plot(
        [place(each) or 0.0 for each in front],
        [each.accuracy or 0.0 for each in front],
        color=_FRONT,
        marker="s",
        label="not beaten by any other",
    )
    if limit is not None:
        axes.axvline(limit, color=_LIMIT, linestyle="--", linewidth=1.2, label=f"limit {limit:,}")


def _scatter(
    axes: Axes,
    trials: Sequence[Trial],
    place: Callable[[Trial], float | None],
    label: str,
    *,
    color: str,
    marker: str = "o",
) -> None:
    axes.scatter(
        [place(each) or 0.0 for each in trials],
        [each.accuracy or 0.0 for each in trials],
        color=color,
        marker=marker,
        s=18,
        label=label,
    )


def _number(trial: Trial) -> float:
    return trial.number
