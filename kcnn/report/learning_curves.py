"""Learning curves: loss, accuracy and learning rate over the epochs of a training."""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kcnn.pictures import GRAY, PALETTE, Figure, clean_axes, save_figure
from kcnn.report.panels import PANELS, Curve, draw_panel, mark_events
from kcnn.report.training_events import Event

NOTE = (
    "Training values are averaged over the epoch, with augmentation and dropout active; "
    "validation values are measured at its end, without them."
)
"""Why validation can be better than training: the first question of readers."""

_TRAINING, _VALIDATION, _RATE = PALETTE[:3]

Metrics = Mapping[str, Sequence[float]]


def plot_curves(
    history: Metrics,
    path: str | os.PathLike,
    *,
    best_epoch: int | None = None,
    title: str = "Learning curves",
) -> None:
    """Draw the learning curves of a training into a picture file; see `curves_figure`.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "curves.png")
    >>> plot_curves({"loss": [2.3, 1.9], "val_loss": [2.1, 1.8]}, path)
    >>> os.path.exists(path)
    True
    """
    save_figure(curves_figure(history, best_epoch=best_epoch, title=title), path)


def curves_figure(
    history: Metrics, *, best_epoch: int | None = None, title: str = "Learning curves"
) -> Figure:
    """Return loss, accuracy and learning rate by epoch side by side, the best epoch marked.

    Args:
        history: one value an epoch under each of `loss`, `accuracy`, `val_loss`, `val_accuracy`
            and `learning_rate`; only `loss` is required, other keys are ignored.
        best_epoch: the epoch to mark, from 1. Defaults to the one with the lowest `val_loss`, if
            any.
        title: the heading.

    Raises:
        ValueError: there is no `loss` or no epoch, lengths differ, or `best_epoch` is not among
            the epochs.

    >>> figure = curves_figure({"loss": [2.3, 1.9], "learning_rate": [1e-3, 1e-4]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'learning rate']
    """
    epochs = _count_epochs(history)
    best = _best_epoch(history, best_epoch, epochs)
    panels = _panels([history])
    layout = ConstrainedLayoutEngine(wspace=0.05)
    figure = Figure(figsize=(4.4 * len(panels) + 0.4, 3.9), dpi=150, layout=layout)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw_panel(axes, panel, _curves(history, panel), epochs=epochs)
        mark_events(axes, () if best is None else (Event(best, "best", ""),))
        clean_axes(axes, legend=True)
        axes.set_title(panel.replace("_", " ").capitalize(), fontsize=11)
        axes.set_xlabel("epoch")
    figure.suptitle(title, fontsize=12, parse_math=False)
    if _has(history, "val_loss") or _has(history, "val_accuracy"):
        figure.supxlabel(NOTE, fontsize=7, color=GRAY)
    return figure


def narrow_curves_figure(history: Metrics, events: Sequence[Event] = ()) -> Figure:
    """Return loss, accuracy and learning rate by epoch below one another, with the events.

    It is narrow enough for the page of a run on a phone.

    >>> figure = narrow_curves_figure({"loss": (2.3, 1.9), "learning_rate": (1e-3, 1e-4)})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'learning rate']
    """
    panels = _panels([history])
    figure, rows = _stacked(len(panels))
    for axes, panel in zip(rows, panels, strict=True):
        draw_panel(axes, panel, _curves(history, panel), epochs=len(history["loss"]))
        mark_events(axes, events)
        clean_axes(axes)
    _finish_stacked(rows)
    return figure


def compared_curves_figure(histories: Mapping[str, Metrics]) -> Figure:
    """Return validation loss, validation accuracy and learning rate of several trainings.

    Where a training had no validation, its training values are drawn.
    """
    panels, epochs = _panels(histories.values()), max(len(h["loss"]) for h in histories.values())
    styles = [(color, style) for style in ("-", "--", "-.", ":") for color in PALETTE]
    figure, rows = _stacked(len(panels))
    for axes, panel in zip(rows, panels, strict=True):
        curves = [
            Curve(name, history.get(f"val_{panel}") or history[panel], *style)
            for (name, history), style in zip(histories.items(), cycle(styles), strict=False)
            if _has(history, f"val_{panel}") or _has(history, panel)
        ]
        draw_panel(axes, panel, curves, epochs=epochs)
        if panel != "learning_rate":
            axes.set_ylabel(f"validation {PANELS[panel]}")
        clean_axes(axes)
    _finish_stacked(rows)
    return figure


def _curves(history: Metrics, panel: str) -> list[Curve]:
    if panel == "learning_rate":
        return [Curve("learning rate", history[panel], _RATE)]
    curves = [Curve("training", history[panel], _TRAINING)] if _has(history, panel) else []
    if _has(history, f"val_{panel}"):
        curves.append(Curve("validation", history[f"val_{panel}"], _VALIDATION))
    return curves


def _panels(histories: Iterable[Metrics]) -> list[str]:
    histories = list(histories)
    return [panel for panel in PANELS if any(_has(history, panel) for history in histories)]


def _stacked(count: int) -> tuple[Figure, list[Axes]]:
    # No wider, or its letters are too small on a phone.
    figure = Figure(figsize=(4.8, 2.1 * count + 0.3), layout="constrained")
    return figure, list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def _finish_stacked(rows: Sequence[Axes]) -> None:
    for axes in rows:
        axes.yaxis.label.set_fontsize(9)
        axes.tick_params(labelsize=8)
    rows[0].legend(fontsize=8, framealpha=0.9)  # the others' lines have the same names
    rows[-1].set_xlabel("epoch", fontsize=9)


def _has(history: Metrics, key: str) -> bool:
    return len(history.get(key, ())) > 0


def _count_epochs(history: Metrics) -> int:
    known = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    lengths = {key: len(history[key]) for key in known if _has(history, key)}
    if "loss" not in lengths or len(set(lengths.values())) != 1:
        raise ValueError(
            "Expected a history with 'loss' and as many values under every key as epochs. "
            f"Received: {lengths or 'no values'}"
        )
    return lengths["loss"]


def _best_epoch(history: Metrics, best_epoch: int | None, epochs: int) -> int | None:
    if best_epoch is not None:
        if not 1 <= best_epoch <= epochs:
            raise ValueError(f"Expected best_epoch from 1 to {epochs}. Received: {best_epoch}")
        return best_epoch
    losses = np.asarray(history.get("val_loss", ()), dtype=float)
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None
