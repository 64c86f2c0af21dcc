"""One panel of a picture of learning curves: a metric by epoch, of one training or of several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kcnn.pictures import GRAY
from kcnn.report.training_events import Event

PANELS = {"loss": "loss", "accuracy": "accuracy (%)", "learning_rate": "learning rate"}
"""The labels of the metrics that have a panel, in the order of the panels."""

_MARKS = {  # the kinds of events that are drawn: color, line style, label
    "best": (GRAY, "--", "best epoch: {}"),
    "rate": ("#A0522D", ":", "learning rate reduced"),
    "stopped": ("#000000", "-.", "stopped early: {}"),
}
_FEW_EPOCHS = 15  # up to here every epoch is a dot: a line alone needs two points
_MARKERS = 12  # at most, on a line with markers


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Attributes:
        label: its name in the legend.
        values: one value an epoch, or one for each of `places`.
        color: of the line.
        linestyle: of the line, as matplotlib names it.
        marker: of some of the values, as matplotlib names it. Empty for dots on every epoch of a
            short training, and none on a longer one.
        deviation: half the height of a band around the line, one value for each of `values`; no
            band is drawn if it is empty.
        places: where the values lie; epochs from 1 if it is empty.
    """

    label: str
    values: Sequence[float]
    color: str
    linestyle: str = "-"
    marker: str = ""
    deviation: Sequence[float] = ()
    places: Sequence[int] = ()


def draw_panel(axes: Axes, panel: str, curves: Sequence[Curve], *, epochs: int = 0) -> None:
    """Draw one metric's curves, with the metric's label and scale.

    Args:
        axes: where to draw.
        panel: "loss", "accuracy" (as fractions, shown in percent) or "learning_rate".
        curves: the lines.
        epochs: the last epoch that the x-axis shows; 0 for an axis that fits the curves.
    """
    for curve in curves:
        _draw(axes, curve, steps=panel == "learning_rate")
    axes.set_ylabel(PANELS[panel])
    if panel == "accuracy":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}"))
    if panel == "learning_rate" and all(min(curve.values) > 0 for curve in curves):
        axes.set_yscale("log")
    if epochs:
        axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _draw(axes: Axes, curve: Curve, *, steps: bool) -> None:
    places = np.array(curve.places or range(1, len(curve.values) + 1))
    few = len(places) <= _FEW_EPOCHS
    axes.plot(
        places,
        curve.values,
        color=curve.color,
        label=curve.label,
        linestyle=curve.linestyle,
        # Steps, for a rate set once an epoch: a slope would show values that were never used.
        drawstyle="steps-mid" if steps else "default",
        marker=curve.marker or ("o" if few else None),
        markersize=5 if curve.marker else 3.5,
        markevery=max(1, len(places) // _MARKERS) if curve.marker else 1,
    )
    if any(curve.deviation):
        values, deviation = np.array(curve.values), np.array(curve.deviation)
        low, high = values - deviation, values + deviation
        axes.fill_between(places, low, high, color=curve.color, alpha=0.14, linewidth=0)


def mark_events(axes: Axes, events: Sequence[Event]) -> None:
    """Mark the best epoch, every reduction of the learning rate and an early stop by lines."""
    named = set()
    for event in events:
        if event.kind not in _MARKS:
            continue
        color, style, name = _MARKS[event.kind]
        # A reduced rate holds for its epoch, and so begins before it.
        place = event.epoch - 0.5 if event.kind == "rate" else event.epoch
        label = None if event.kind in named else name.format(event.epoch)
        named.add(event.kind)
        axes.axvline(place, color=color, linestyle=style, linewidth=1, label=label, zorder=1)
