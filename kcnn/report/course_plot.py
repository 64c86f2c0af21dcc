"""The picture of a training on a page: its course with the events, narrow enough for a phone."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kcnn.report.events import Event
from kcnn.report.run_files import History

# Of Okabe and Ito's palette: told apart with any colour vision.
_TRAINING, _VALIDATION, _RATE = "#0072B2", "#D55E00", "#009E73"
_MARKS = {
    "best": ("#444444", "--", "best epoch: {}"),
    "rate": ("#A0522D", ":", "learning rate reduced"),
    "stopped": ("#000000", "-.", "stopped early: {}"),
}
# As comparison_plot draws its variants: without the yellow, too light for a line.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_STYLES = ("-", "--", "-.", ":")
_POINTS = 15  # a line needs two points: with few epochs the points themselves are drawn
_LABELS = {"loss": "loss", "accuracy": "accuracy (%)", "learning_rate": "learning rate"}


def course_figure(history: History, events: Sequence[Event] = ()) -> Figure:
    """Return loss, accuracy and learning rate over one axis of epochs, with the events.

    >>> figure = course_figure({"loss": (2.3, 1.9), "learning_rate": (1e-3, 1e-4)})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'learning rate']
    """
    panels = _panels([history])
    figure, rows = _stacked(len(panels))
    for axes, panel in zip(rows, panels, strict=True):
        if panel == "learning_rate":
            _line(axes, history[panel], "learning rate", _RATE, drawstyle="steps-mid")
        else:
            _line(axes, history[panel], "training", _TRAINING)
            if f"val_{panel}" in history:
                _line(axes, history[f"val_{panel}"], "validation", _VALIDATION)
        _mark(axes, events)
        _finish(axes, panel, len(history["loss"]))
    _finish_all(rows)
    return figure


def courses_figure(histories: Mapping[str, History]) -> Figure:
    """Return the courses of several trainings: validation loss and accuracy, learning rate.

    Where a training had no validation, its training values are drawn.
    """
    panels = _panels(histories.values())
    figure, rows = _stacked(len(panels))
    for axes, panel in zip(rows, panels, strict=True):
        for number, (name, history) in enumerate(histories.items()):
            values = history.get(f"val_{panel}", history.get(panel))
            if values:
                style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
                _line(axes, values, name, _COLOURS[number % len(_COLOURS)], linestyle=style)
        _finish(axes, panel, max(len(history["loss"]) for history in histories.values()))
        if panel != "learning_rate":
            axes.set_ylabel(f"validation {_LABELS[panel]}", fontsize=9)
    _finish_all(rows)
    return figure


def _panels(histories: Sequence[History]) -> list[str]:
    return [panel for panel in _LABELS if any(history.get(panel) for history in histories)]


def _stacked(count: int) -> tuple[Figure, Sequence[Axes]]:
    # No wider, or its letters are too small on a phone.
    figure = Figure(figsize=(4.8, 2.1 * count + 0.3), layout="constrained")
    return figure, figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]


def _mark(axes: Axes, events: Sequence[Event]) -> None:
    named = set()
    for event in events:
        if event.kind not in _MARKS:
            continue
        colour, style, name = _MARKS[event.kind]
        # A reduced rate holds for its epoch, and so begins before it.
        place = event.epoch - 0.5 if event.kind == "rate" else event.epoch
        label = None if event.kind in named else name.format(event.epoch)
        named.add(event.kind)
        axes.axvline(place, color=colour, linestyle=style, linewidth=1, label=label, zorder=1)


def _line(axes: Axes, values: Sequence[float], label: str, colour: str, **style: str) -> None:
    marker = "o" if len(values) <= _POINTS else None
    places = range(1, len(values) + 1)
    axes.plot(places, values, color=colour, label=label, marker=marker, markersize=3.5, **style)


def _finish(axes: Axes, panel: str, epochs: int) -> None:
    axes.set_ylabel(_LABELS[panel], fontsize=9)
    if panel == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _finish_all(rows: Sequence[Axes]) -> None:
    rows[0].legend(fontsize=8, framealpha=0.9)  # the others' lines have the same names
    rows[-1].set_xlabel("epoch", fontsize=9)
